"""
The stack that provisions devices nobody announced, one per region.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from cdk import ingest_settings
from cdk.device_policy import DevicePolicy
from cdk.jitp_monitoring import JitpMonitoring
from cdk.jitp_template import JitpTemplate
from cdk.registered_ca import RegisteredCa
from firstlight.certificates import Certificate
from firstlight.jitp.template import POLICY_NAME
from firstlight.outputs import JitpOutput
from firstlight.regions import AwsRegion


class JitpStack(Stack):
    """
    Template, role, device policy, the CAs of *ca_certificates*, and alarms.

    Raises:
        CertificateError: AWS IoT would refuse a CA at *now* (aware).
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        region: AwsRegion,
        ca_certificates: Sequence[Certificate],
        now: datetime,
        **stack_arguments: Any,
    ) -> None:
        super().__init__(scope, id_, description="firstlight: devices provisioned just in time", **stack_arguments)
        policy = DevicePolicy(self, "DevicePolicy", name=POLICY_NAME)
        template = JitpTemplate(
            self,
            "Template",
            name=region.template_name,
            policy=policy,
            thing_type=region.thing_type,
            thing_groups=region.thing_groups,
            billing_group=region.billing_group,
            reserved_prefix=ingest_settings.rule(region).prefix,
        )
        for certificate in ca_certificates:
            # Named by the certificate: reordering or renaming files replaces no CA.
            RegisteredCa(self, f"Ca-{certificate.fingerprint}", certificate=certificate, template=template, now=now)
        JitpMonitoring(self, "Monitoring", alarm_topic_arn=region.alarm_topic_arn)
        values = {
            JitpOutput.TEMPLATE_NAME: region.template_name,
            JitpOutput.POLICY_NAME: policy.name,
            JitpOutput.ROLE_ARN: template.role.role_arn,
        }
        for output, value in values.items():
            CfnOutput(self, output, value=value)
