"""
What the JITP stack watches: devices that AWS IoT could not provision.
"""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk.monitoring import Monitoring, metric


class JitpMonitoring(Construct):
    """
    Alarms and a dashboard for just-in-time provisioning, of the whole account and region: AWS tells no more apart.
    """

    def __init__(self, scope: Construct, id_: str, *, alarm_topic_arn: str = "") -> None:
        super().__init__(scope, id_)
        watch = Monitoring(self, "Watch", alarm_topic_arn=alarm_topic_arn)
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
        watch.show(
            Provisioned_at_first_connect=[_provisioned(end) for end in ("Success", "ClientError", "ServerError")]
        )


def _provisioned(end: str) -> cloudwatch.Metric:
    return metric("AWS/IoT", f"ProvisionThing.{end}")
