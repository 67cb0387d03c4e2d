"""
What the JITP stack watches: devices that do not come in, and functions that fail.
"""

from functools import partial

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.monitoring import Monitoring, metric
from firstlight import telemetry
from firstlight.first_connect import report


class JitpMonitoring(Construct):
    """
    Alarms and a dashboard: for *stuck*, the function that counts, and for either *admission*, that of the allow-list,
    or just-in-time provisioning, there of the whole account and region: AWS tells no more apart.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stuck: lambda_.Function,
        admission: lambda_.Function | None,
        dead_letters: sqs.Queue,
        alarm_topic_arn: str = "",
    ) -> None:
        super().__init__(scope, id_)
        watch = Monitoring(self, "Watch", alarm_topic_arn=alarm_topic_arn)
        self._region = Stack.of(self).region
        stuck_devices = self._devices(stuck)(report.STUCK)
        watch.alarm(
            "StuckDevices",
            stuck_devices,
            description=(
                "A device connects again and again and stays PENDING_ACTIVATION: the log of the counting function "
                "names its certificate; firstlight doctor says why."
            ),
        )
        watch.alarm("CountingErrors", stuck.metric_errors(), description="Devices are not counted; see the log.")
        watch.alarm(
            "DeadLetters",
            dead_letters.metric_approximate_number_of_messages_visible(),
            description="A function has given up an event of a first connect three times; the queue holds it.",
        )
        outcomes = self._allow_list(watch, admission) if admission else self._template(watch)
        functions = [f.metric_errors() for f in (stuck, admission) if f]
        watch.show(First_connects=[*outcomes, stuck_devices], Failures_of_functions=functions)

    def _devices(self, function: lambda_.Function) -> "partial[cloudwatch.Metric]":
        # As the functions emit them, in the embedded metric format (firstlight.first_connect.report).
        return partial(metric, telemetry.NAMESPACE, region=self._region, function=function.function_name)

    def _allow_list(self, watch: Monitoring, admission: lambda_.Function) -> list[cloudwatch.Metric]:
        devices = self._devices(admission)
        watch.alarm(
            "AdmissionErrors",
            admission.metric_errors(),
            description="Announced devices could not be admitted, and will be tried again; see the function's log.",
        )
        watch.alarm(
            "RefusedDevices",
            devices(report.REFUSED),
            description="Announced devices were refused at their first connect; the function's log says why.",
        )
        return [devices(name) for name in (report.ADMITTED, report.LEFT_OUT, report.REFUSED)]

    def _template(self, watch: Monitoring) -> list[cloudwatch.Metric]:
        watch.alarm(
            "ClientErrors",
            _provisioned("ClientError"),
            description=(
                "A device could not be provisioned and stays PENDING_ACTIVATION: its certificate lacks what the "
                "template wants, or the role, policy, type or group the template names is missing."
            ),
        )
        watch.alarm(
            "ServerErrors",
            _provisioned("ServerError"),
            periods=3,
            description="AWS IoT has failed to provision devices for 15 minutes; they will try again.",
        )
        return [_provisioned(end) for end in ("Success", "ClientError", "ServerError")]


def _provisioned(end: str) -> cloudwatch.Metric:
    return metric("AWS/IoT", f"ProvisionThing.{end}")
