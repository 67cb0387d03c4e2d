"""
A function that AWS IoT invokes whenever a certificate connects that it registered by itself.
"""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_iot as iot
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.device_function import DeviceFunction
from cdk.grants import Grant
from firstlight.first_connect.event import TOPIC_FILTER
from firstlight.first_connect.settings import FirstConnectSettings

# Throttling is waited out; what takes longer is tried again.
_TIMEOUT = Duration.seconds(60)
# Nothing is computed; more memory is more CPU, and so a shorter cold start.
_MEMORY_MB = 512
# Seconds.  After that the device has connected again, and its event is another one.
_MAX_AGE = 3_600
_RETRIES = 2


class OnRegistered(DeviceFunction):
    """
    Runs `lambdas.<module>.handler` of *code* for every event, with a role that may do *allowed* and write its log.

    Invoked asynchronously: what fails three times goes to *dead_letters*.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        module: str,
        settings: FirstConnectSettings,
        allowed: Sequence[Grant],
        dead_letters: sqs.Queue,
        log_retention_days: int,
        description: str,
    ) -> None:
        leaving = Grant(actions=("sqs:SendMessage",), resources=(dead_letters.queue_arn,))
        super().__init__(
            scope,
            id_,
            code=code,
            handler=f"lambdas.{module}.handler",
            settings=settings,
            allowed=[*allowed, leaving],
            timeout=_TIMEOUT,
            memory_mb=_MEMORY_MB,
            log_retention_days=log_retention_days,
            description=f"firstlight: {description}",
        )
        self._give_up(dead_letters)
        self._hear(description)

    def _give_up(self, dead_letters: sqs.Queue) -> None:
        destination = lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=dead_letters.queue_arn)
        lambda_.CfnEventInvokeConfig(
            self,
            "Giving up",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_event_age_in_seconds=_MAX_AGE,
            maximum_retry_attempts=_RETRIES,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(on_failure=destination),
        )

    def _hear(self, description: str) -> None:
        invoke = iot.CfnTopicRule.LambdaActionProperty(function_arn=self.function.function_arn)
        self.rule = iot.CfnTopicRule(
            self,
            "Rule",
            topic_rule_payload=iot.CfnTopicRule.TopicRulePayloadProperty(
                sql=f"SELECT * FROM '{TOPIC_FILTER}'",  # noqa: S608 -- a constant of ours
                aws_iot_sql_version="2016-03-23",
                description=f"firstlight: {description}",
                actions=[iot.CfnTopicRule.ActionProperty(lambda_=invoke)],
            ),
        )
        self.permission = lambda_.CfnPermission(
            self,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=self.function.function_arn,
            principal="iot.amazonaws.com",
            source_account=Stack.of(self).account,
            source_arn=self.rule.attr_arn,
        )
