"""
A Lambda function that makes devices able to connect, with a role of its own that may do what it calls and no more.
"""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk import grants
from cdk.grants import Grant
from cdk.logs import LogGroup
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.settings import Settings


class DeviceFunction(Construct):
    """
    Runs *handler* of *code*, which reads *settings* from its environment, and may do what is *allowed*.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        handler: str,
        settings: Settings | FirstConnectSettings,
        allowed: list[Grant],
        timeout: Duration,
        memory_mb: int,
        log_retention_days: int,
        description: str,
    ) -> None:
        super().__init__(scope, id_)
        log_group = LogGroup(self, "Log", retention_days=log_retention_days)
        self.function = lambda_.Function(
            self,
            "Resource",
            code=code,
            handler=handler,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            timeout=timeout,
            memory_size=memory_mb,
            environment=settings.to_env(),
            role=_role(self, [*allowed, _log_grant(log_group)]),
            log_group=log_group.group,
            logging_format=lambda_.LoggingFormat.JSON,
            description=description,
        )
        resource = self.function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 -- narrows a type
        grants.acknowledge(resource, L1="Python 3.13 is the newest that every dependency and CI run on here.")


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
