"""
The Lambda function that answers pushes, with a role of its own that may do what it calls and no more.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.device_function import DeviceFunction
from cdk.grants import Grant
from firstlight.queues.sqs_operations import SqsOperation
from firstlight.registries.aws_dynamodb import DynamoOperation
from firstlight.registries.aws_operations import Operation
from firstlight.settings import Settings

# The gateway in front gives up at 29 seconds; working on after that would be for nobody.
_TIMEOUT = Duration.seconds(29)
# 1,769 MB is where a function gets one whole vCPU.  A push is one event loop: more it could not use,
# with less every signature and every cold start takes longer, and costs the same.
_MEMORY_MB = 1769
_NO_RESOURCE_TYPE = "AWS IAM knows no resource type for this action, so no ARN would ever match it."
_UNKNOWN_YET = "Which certificates will be pushed is not known before; the id is the certificate's own hash."
_ANY_CERTIFICATE = "Any certificate may be asked about; AWS IAM knows no other resource here, and emulators of it none."
_NAMED_BY_CERTIFICATE = "Things are named after the certificates that are pushed; only the prefix is known before."


class IngestFunction(DeviceFunction):
    """
    Runs *code*, whose `lambdas.interop.handler` reads *settings* from its environment.

    *overflow_arn* is the queue in *settings*, which it may put messages into.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        settings: Settings,
        overflow_arn: str,
        log_retention_days: int,
    ) -> None:
        queue = Grant(actions=(SqsOperation.SEND.action,), resources=(overflow_arn,))
        super().__init__(
            scope,
            id_,
            code=code,
            handler="lambdas.interop.handler",
            settings=settings,
            allowed=[*registry_grants(Stack.of(scope), settings, inspects=True), queue],
            timeout=_TIMEOUT,
            memory_mb=_MEMORY_MB,
            log_retention_days=log_retention_days,
            description="firstlight: makes the certificates a Cloud ID service pushes able to connect",
        )


def registry_grants(stack: Stack, settings: Settings, *, inspects: bool) -> list[Grant]:
    """
    Return what firstlight.registries.aws_iot calls (Operation lists it), and no more; and where there is a table of
    announcements, what writes it.

    Who *inspects* also asks what a device is.

    Resource types are those of the Service Authorization Reference for AWS IoT.
    """

    def arn(kind: str, name: str) -> str:
        return stack.format_arn(service="iot", resource=kind, resource_name=name)

    certificate, thing = arn("cert", "*"), arn("thing", f"{settings.rule.prefix}*")
    unscoped = [Operation.REGISTER_CERTIFICATE, *([Operation.LIST_ATTACHED_POLICIES] if inspects else [])]
    if not settings.device_endpoint:
        unscoped.append(Operation.DESCRIBE_ENDPOINT)
    return [
        _grant(*unscoped, on=["*"], reason=_NO_RESOURCE_TYPE),
        # IAM looks at the certificate that is attached, and the request's path names the thing.
        _grant(
            Operation.ATTACH_PRINCIPAL,
            Operation.ATTACH_POLICY,
            Operation.DESCRIBE_CERTIFICATE,
            on=[certificate],
            reason=_UNKNOWN_YET,
        ),
        *([_grant(Operation.LIST_PRINCIPAL_THINGS, on=["*"], reason=_ANY_CERTIFICATE)] if inspects else []),
        _grant(
            Operation.ATTACH_PRINCIPAL,
            Operation.CREATE_THING,
            Operation.DESCRIBE_THING,
            Operation.LIST_PRINCIPALS,
            Operation.UPDATE_THING,
            on=[thing],
            reason=_NAMED_BY_CERTIFICATE,
        ),
        _grant(Operation.GET_POLICY, on=[arn("policy", settings.policy_name)]),
        *_announcing(stack, settings.announcements_table),
    ]


def _announcing(stack: Stack, table: str) -> list[Grant]:
    arn = stack.format_arn(service="dynamodb", resource="table", resource_name=table)
    return [Grant(actions=(DynamoOperation.BATCH_WRITE_ITEM.action,), resources=(arn,))] if table else []


def _grant(*operations: Operation, on: list[str], reason: str = "") -> Grant:
    return Grant(actions=tuple(operation.action for operation in operations), resources=tuple(on), reason=reason)
