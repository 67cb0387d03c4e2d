"""
What the ingest stack watches: its functions, the queue between them, its gateway, and what becomes of devices.
"""

from functools import partial

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.monitoring import Monitoring, metric
from cdk.overflow_queue import OverflowQueue
from firstlight import telemetry

# Milliseconds; the function answers what it did not get to at 25 seconds, the gateway gives up at 29.
_SLOW = 20_000
# Seconds: 36,000 devices at the published ten a second.
_LONG = 3600


class IngestMonitoring(Construct):
    """
    Alarms and a dashboard for *function* behind *stage*, and for the *worker* of its *overflow*.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        function: lambda_.Function,
        worker: lambda_.Function,
        overflow: OverflowQueue,
        stage: apigateway.Stage,
        alarm_topic_arn: str = "",
    ) -> None:
        super().__init__(scope, id_)
        watch = Monitoring(self, "Watch", alarm_topic_arn=alarm_topic_arn)
        # As the handler emits them, in the embedded metric format (firstlight.telemetry).
        devices, queued = (
            partial(metric, telemetry.NAMESPACE, region=Stack.of(self).region, function=f.function_name)
            for f in (function, worker)
        )
        self._alarms(watch, devices, function, stage)
        self._queue_alarms(watch, queued, worker, overflow)
        watch.show(
            Devices=[devices("Provisioned"), devices("Queued"), devices("Refused"), devices("Throttled")],
            Milliseconds_a_push=[devices("LatencyMs", statistic=s, label=s) for s in ("p50", "p90", "p99")],
            Requests=[stage.metric_count(), stage.metric_client_error(), stage.metric_server_error()],
            Function=[function.metric_invocations(), function.metric_errors(), function.metric_throttles()],
        )
        watch.show(
            Queued_devices=[queued("Provisioned"), queued("Queued"), queued("Refused"), queued("Throttled")],
            Waiting=[
                overflow.queue.metric_approximate_number_of_messages_visible(),
                overflow.queue.metric_approximate_number_of_messages_not_visible(),
                overflow.dead_letters.metric_approximate_number_of_messages_visible(),
            ],
            Seconds_waited=[_oldest(overflow)],
            Worker=[worker.metric_invocations(), worker.metric_errors(), worker.metric_throttles()],
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

    def _queue_alarms(
        self,
        watch: Monitoring,
        queued: "partial[cloudwatch.Metric]",
        worker: lambda_.Function,
        overflow: OverflowQueue,
    ) -> None:
        watch.alarm("WorkerErrors", worker.metric_errors(), description="The worker failed; see its log.")
        watch.alarm(
            "WorkerRefused",
            queued("Refused"),
            description="Devices were queued and can never be provisioned; the worker's log says why, per device.",
        )
        watch.alarm(
            "DeadLetters",
            overflow.dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            description="Devices were tried ten times in vain; docs/deploy-aws.md says how to send them back.",
        )
        watch.alarm(
            "Waiting",
            _oldest(overflow),
            above=_LONG,
            description="A device has waited for an hour; see the worker's log, or ask for higher quotas.",
        )


def _oldest(overflow: OverflowQueue) -> cloudwatch.Metric:
    return overflow.queue.metric_approximate_age_of_oldest_message(statistic="Maximum")
