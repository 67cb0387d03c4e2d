"""
The Lambda function that answers pushes, with a role of its own that may do what it calls and no more.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk import grants
from cdk.grants import Grant
from cdk.logs import LogGroup
from firstlight.registries.aws_operations import Operation
from firstlight.settings import Settings

# The gateway in front gives up at 29 seconds; working on after that would be for nobody.
_TIMEOUT = Duration.seconds(29)
# 1,769 MB is where a function gets one whole vCPU.  A push is one event loop: more it could not use,
# with less every signature and every cold start takes longer, and costs the same.
_MEMORY_MB = 1769
_NO_RESOURCE_TYPE = "AWS IAM knows no resource type for this action, so no ARN would ever match it."
_UNKNOWN_YET = "Which certificates will be pushed is not known before; the id is the certificate's own hash."
_NAMED_BY_CERTIFICATE = "Things are named after the certificates that are pushed; only the prefix is known before."


class IngestFunction(Construct):
    """
    Runs *code*, whose `lambdas.interop.handler` reads *settings* from its environment.
    """

    def __init__(
        self, scope: Construct, id_: str, *, code: lambda_.Code, settings: Settings, log_retention_days: int
    ) -> None:
        super().__init__(scope, id_)
        log_group = LogGroup(self, "Log", retention_days=log_retention_days)
        self.function = lambda_.Function(
            self,
            "Resource",
            code=code,
            handler="lambdas.interop.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=_TIMEOUT,
            memory_size=_MEMORY_MB,
            environment=settings.to_env(),
            role=_role(self, [*registry_grants(Stack.of(self), settings), _log_grant(log_group)]),
            log_group=log_group.group,
            logging_format=lambda_.LoggingFormat.JSON,
            description="firstlight: makes the certificates a Cloud ID service pushes able to connect",
        )
        resource = self.function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 -- narrows a type
        grants.acknowledge(resource, L1="Python 3.13 is the newest that every dependency and CI run on here.")


def registry_grants(stack: Stack, settings: Settings) -> list[Grant]:
    """
    Return what firstlight.registries.aws_iot calls (Operation lists it), and no more.

    Resource types are those of the Service Authorization Reference for AWS IoT.
    """

    def arn(kind: str, name: str) -> str:
        return stack.format_arn(service="iot", resource=kind, resource_name=name)

    certificate, thing = arn("cert", "*"), arn("thing", f"{settings.rule.prefix}*")
    unscoped = [Operation.REGISTER_CERTIFICATE, Operation.LIST_ATTACHED_POLICIES]
    if not settings.device_endpoint:
        unscoped.append(Operation.DESCRIBE_ENDPOINT)
    return [
        _grant(*unscoped, on=["*"], reason=_NO_RESOURCE_TYPE),
        # IAM looks at the certificate that is attached, and the request's path names the thing.
        _grant(
            Operation.ATTACH_PRINCIPAL,
            Operation.ATTACH_POLICY,
            Operation.DESCRIBE_CERTIFICATE,
            Operation.LIST_PRINCIPAL_THINGS,
            on=[certificate],
            reason=_UNKNOWN_YET,
        ),
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
    ]


def _grant(*operations: Operation, on: list[str], reason: str = "") -> Grant:
    return Grant(actions=tuple(operation.action for operation in operations), resources=tuple(on), reason=reason)


def _log_grant(log_group: LogGroup) -> Grant:
    return Grant(actions=("logs:CreateLogStream", "logs:PutLogEvents"), resources=(log_group.arn,))


def _role(scope: Construct, allowed: list[Grant]) -> iam.Role:
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"Ingest": grants.document(allowed)},
    )
    resource = role.node.default_child
    assert isinstance(resource, iam.CfnRole)  # noqa: S101 -- narrows a type
    grants.justify(resource, allowed)
    return role
