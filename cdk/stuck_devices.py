"""
Finds devices that connect again and again and do not come in, whatever their region does at a first connect.
"""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.grants import Grant
from cdk.registered_event import OnRegistered
from cdk.table import Table
from firstlight.first_connect import stuck
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.registries.aws_dynamodb import DynamoOperation
from firstlight.registries.aws_operations import Operation

_UNKNOWN_YET = "Which certificates will be presented is not known before; the id is the certificate's own hash."


class StuckDevices(Construct):
    """
    A table of connects, and the function that counts them; *limit* within an hour are too many.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        limit: int,
        dead_letters: sqs.Queue,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, id_)
        table = Table(self, "Connects", key=stuck.KEY, expires=stuck.EXPIRES, transient=True)
        certificates = Stack.of(self).format_arn(service="iot", resource="cert", resource_name="*")
        self.function = OnRegistered(
            self,
            "Function",
            code=code,
            module="stuck",
            settings=FirstConnectSettings(connects_table=table.name, stuck_after=str(limit)),
            allowed=[
                Grant(actions=(DynamoOperation.UPDATE_ITEM.action,), resources=(table.arn,)),
                Grant(actions=(Operation.DESCRIBE_CERTIFICATE.action,), resources=(certificates,), reason=_UNKNOWN_YET),
            ],
            dead_letters=dead_letters,
            log_retention_days=log_retention_days,
            description="counts devices that stay PENDING_ACTIVATION",
        ).function
