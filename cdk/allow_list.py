"""
Lets announced certificates in at their first connect, and no others.
"""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.grants import Grant
from cdk.registered_event import OnRegistered
from cdk.table import Table
from firstlight.first_connect.operations import Admitting
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.registries import aws_announcements
from firstlight.registries.aws_dynamodb import DynamoOperation
from firstlight.registries.aws_operations import Operation, ServiceOperation

_UNKNOWN_YET = "Which devices will be announced is not known before; announcements and certificates name their things."
_OF_ANY_CA = "A CA may be registered beside the stack; the function takes the devices of each that is ACTIVE."


class AllowList(Construct):
    """
    The table of announcements, and the function that does for announced certificates what the provisioning template
    *template_name* says; it may touch the type, groups and billing group that are named, and no others.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        template_name: str,
        thing_groups: Sequence[str],
        billing_group: str,
        reserved_prefix: str,
        dead_letters: sqs.Queue,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, id_)
        self._stack = Stack.of(self)
        table = Table(
            self,
            "Announcements",
            name=aws_announcements.TABLE,
            key=aws_announcements.KEY,
            expires=aws_announcements.EXPIRES,
        )
        announcements = Grant(
            actions=(DynamoOperation.GET_ITEM.action, DynamoOperation.DELETE_ITEM.action), resources=(table.arn,)
        )
        self.heard = OnRegistered(
            self,
            "Function",
            code=code,
            module="admission",
            settings=FirstConnectSettings(
                announcements_table=table.name, template_name=template_name, reserved_prefix=reserved_prefix
            ),
            allowed=[announcements, *self._grants(template_name, thing_groups, billing_group)],
            dead_letters=dead_letters,
            log_retention_days=log_retention_days,
            description="admits announced certificates at their first connect",
        )

    def _grants(self, template_name: str, thing_groups: Sequence[str], billing_group: str) -> list[Grant]:
        on_certificate = [Operation.DESCRIBE_CERTIFICATE, Operation.ATTACH_POLICY, Operation.ATTACH_PRINCIPAL]
        on_thing = [
            Operation.CREATE_THING,
            Operation.DESCRIBE_THING,
            Operation.LIST_PRINCIPALS,
            Operation.UPDATE_THING,
            Operation.ATTACH_PRINCIPAL,
        ]
        on_names = [_grant(Admitting.DESCRIBE_TEMPLATE, on=[self._arn("provisioningtemplate", template_name)])]
        if thing_groups:
            on_thing.append(Operation.ADD_TO_GROUP)
            on_names.append(_grant(Operation.ADD_TO_GROUP, on=[self._arn("thinggroup", name) for name in thing_groups]))
        if billing_group:
            on_thing.append(Operation.ADD_TO_BILLING_GROUP)
            on_names.append(_grant(Operation.ADD_TO_BILLING_GROUP, on=[self._arn("billinggroup", billing_group)]))
        return [
            _grant(*on_certificate, Admitting.UPDATE_CERTIFICATE, on=[self._arn("cert", "*")], reason=_UNKNOWN_YET),
            _grant(*on_thing, on=[self._arn("thing", "*")], reason=_UNKNOWN_YET),
            _grant(Admitting.DESCRIBE_CA, on=[self._arn("cacert", "*")], reason=_OF_ANY_CA),
            *on_names,
        ]

    def _arn(self, kind: str, name: str) -> str:
        return self._stack.format_arn(service="iot", resource=kind, resource_name=name)


def _grant(*operations: ServiceOperation, on: list[str], reason: str = "") -> Grant:
    return Grant(actions=tuple(operation.action for operation in operations), resources=tuple(on), reason=reason)
