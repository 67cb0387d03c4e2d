"""
The REST API a Cloud ID service pushes to: three routes, one function behind them.
"""

import json

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk import gateway_responses, grants
from cdk.logs import LogGroup

_ROUTES = (("/", "GET"), ("/auth", "GET"), ("/interop", "POST"))
# Who, what, how it went, how long it took.  No header is ever in it: one of them is the caller's token.
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "refusedBecause": "$context.error.responseType",
    "functionStatus": "$context.integration.status",
    "bytes": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "functionLatencyMs": "$context.integrationLatency",
}
_LOGS_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
_LOGS_POLICY_REASON = (
    "API Gateway has one logging role per account and region for all APIs, and refuses one that lacks "
    "any of this policy's permissions."
)
_OWN_BEARER = (
    "The handler verifies the caller's token itself, by the same code as the self-hosted endpoint; "
    "GET / is a health check."
)


class IngestApi(Construct):
    """
    A regional API in front of *function*: at most *throttle_rate* requests a second, *throttle_burst* at once.

    *account_role* gives API Gateway the account-wide role it needs to write logs; off when the account has one.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        function: lambda_.IFunction,
        stage: str,
        throttle_rate: int,
        throttle_burst: int,
        log_retention_days: int,
        account_role: bool,
    ) -> None:
        super().__init__(scope, id_)
        access_log = LogGroup(self, "AccessLog", retention_days=log_retention_days)
        self.api = apigateway.RestApi(
            self,
            "Resource",
            rest_api_name="firstlight-ingest",
            description="Where a Cloud ID service pushes device certificates",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name=stage,
                throttling_rate_limit=throttle_rate,
                throttling_burst_limit=throttle_burst,
                access_log_destination=apigateway.LogGroupLogDestination(access_log.group),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
                # The gateway's own errors, such as a function it may not invoke; never requests or bodies.
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                metrics_enabled=True,
            ),
        )
        # CDK adds an output of its own; the stack's are exactly the fields of the Cloud ID console's form.
        self.api.node.try_remove_child("Endpoint")
        self.stage = self.api.deployment_stage
        gateway_responses.add(self.api)
        self._add_routes(function)
        self._log_errors(stage, log_retention_days)
        if account_role:
            self.stage.node.add_dependency(_account_role(self))
        self._acknowledge()

    def _add_routes(self, function: lambda_.IFunction) -> None:
        # without the permission for the console's test button
        integration = apigateway.LambdaIntegration(function, proxy=True, allow_test_invoke=False)
        for path, method in _ROUTES:
            self.api.root.resource_for_path(path).add_method(method, integration)

    def _log_errors(self, stage: str, retention_days: int) -> None:
        # API Gateway would make this group itself, and keep it for ever.
        name = f"API-Gateway-Execution-Logs_{self.api.rest_api_id}/{stage}"
        self.stage.node.add_dependency(LogGroup(self, "ErrorLog", retention_days=retention_days, name=name))

    def _acknowledge(self) -> None:
        for child in self.api.node.find_all():
            match child:
                case apigateway.CfnRestApi():
                    grants.acknowledge(
                        child, APIG2="The handler validates bodies: every mistake has a sentence of its own, per entry."
                    )
                case apigateway.CfnStage():
                    grants.acknowledge(
                        child, APIG3="A web ACL is the account's choice and costs monthly; the stage is throttled."
                    )
                case apigateway.CfnMethod():
                    grants.acknowledge(child, APIG4=_OWN_BEARER, COG4=_OWN_BEARER)
                case _:
                    pass


def _account_role(scope: Construct) -> Construct:
    policy = iam.ManagedPolicy.from_aws_managed_policy_name(_LOGS_POLICY)
    role = iam.Role(
        scope,
        "LogsRole",
        assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
        managed_policies=[policy],
    )
    account = apigateway.CfnAccount(scope, "Account", cloud_watch_role_arn=role.role_arn)
    # Other APIs of the account and region log through it by now; without it their next deployment fails.
    account.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    role.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    resource = role.node.default_child
    assert isinstance(resource, CfnResource)  # noqa: S101 -- narrows a type
    grants.justify_managed_policy(resource, policy.managed_policy_arn, _LOGS_POLICY_REASON)
    return account
