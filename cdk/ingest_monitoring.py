"""
What the ingest stack watches: its function, its gateway, and what becomes of devices.
"""

from functools import partial

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.monitoring import Monitoring, metric
from firstlight import telemetry

# Milliseconds; the function answers what it did not get to at 25 seconds, the gateway gives up at 29.
_SLOW = 20_000


class IngestMonitoring(Construct):
    """
    Alarms and a dashboard for *function* behind *stage*.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        function: lambda_.Function,
        stage: apigateway.Stage,
        alarm_topic_arn: str = "",
    ) -> None:
        super().__init__(scope, id_)
        watch = Monitoring(self, "Watch", alarm_topic_arn=alarm_topic_arn)
        # As the handler emits them, in the embedded metric format (firstlight.telemetry).
        devices = partial(metric, telemetry.NAMESPACE, region=Stack.of(self).region, function=function.function_name)
        self._alarms(watch, devices, function, stage)
        watch.show(
            Devices=[devices("Provisioned"), devices("Refused"), devices("Throttled")],
            Milliseconds_a_push=[devices("LatencyMs", statistic=s, label=s) for s in ("p50", "p90", "p99")],
            Requests=[stage.metric_count(), stage.metric_client_error(), stage.metric_server_error()],
            Function=[function.metric_invocations(), function.metric_errors(), function.metric_throttles()],
        )

    def _alarms(
        self,
        watch: Monitoring,
        devices: "partial[cloudwatch.Metric]",
        function: lambda_.Function,
        stage: apigateway.Stage,
    ) -> None:
        watch.alarm("Errors", function.metric_errors(), description="The ingest function failed; see its log.")
        watch.alarm(
            "Throttles",
            function.metric_throttles(),
            description="Lambda turned pushes away: the account's concurrency is used up.",
        )
        watch.alarm(
            "ServerErrors",
            stage.metric_server_error(),
            description="Pushes were answered 5xx; the access log says which.",
        )
        watch.alarm(
            "Refused",
            devices("Refused"),
            description="Devices were answered ERROR and cannot connect; the function's log says why, per device.",
        )
        watch.alarm(
            "QuotaUsedUp",
            devices("Throttled"),
            periods=3,
            description="AWS IoT has throttled for 15 minutes; ask for a higher RegisterCertificateWithoutCA rate.",
        )
        watch.alarm(
            "Slow",
            devices("LatencyMs", statistic="p90"),
            above=_SLOW,
            description="Pushes take nearly as long as the gateway waits; push fewer certificates at once.",
        )
