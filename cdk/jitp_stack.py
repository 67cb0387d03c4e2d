"""
The stack that provisions devices when they first connect, one per region: all of its CAs' or the announced ones.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk import ingest_settings
from cdk.allow_list import AllowList
from cdk.dead_letters import DeadLetters
from cdk.device_policy import DevicePolicy
from cdk.ingest_stack import PLAIN_HTTP
from cdk.jitp_monitoring import JitpMonitoring
from cdk.jitp_template import JitpTemplate
from cdk.registered_ca import RegisteredCa
from cdk.stuck_devices import StuckDevices
from firstlight.certificates import Certificate
from firstlight.jitp.template import POLICY_NAME
from firstlight.outputs import JitpOutput
from firstlight.regions import AwsRegion, FirstConnect


class JitpStack(Stack):
    """
    Template, role, device policy, the CAs of *ca_certificates*, what counts stuck devices, and alarms.

    With an allow-list the template is there and disabled, so that no CA can run it, and a function does for announced
    certificates what it says.

    Raises:
        CertificateError: AWS IoT would refuse a CA at *now* (aware).
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        region: AwsRegion,
        code: lambda_.Code,
        ca_certificates: Sequence[Certificate],
        now: datetime,
        **stack_arguments: Any,
    ) -> None:
        super().__init__(scope, id_, description="firstlight: devices provisioned just in time", **stack_arguments)
        self._region = region
        plain_http = bool(self.node.try_get_context(PLAIN_HTTP))
        self._functions: dict[str, Any] = {
            "code": code,
            "dead_letters": DeadLetters(self, "DeadLetters", plain_http=plain_http).queue,
            "log_retention_days": region.log_retention_days,
        }
        policy = DevicePolicy(self, "DevicePolicy", name=POLICY_NAME)
        template = self._template(policy)
        allow_list = self._allow_list() if region.first_connect is FirstConnect.ALLOW_LIST else None
        for certificate in ca_certificates:
            # Named by the certificate: reordering or renaming files replaces no CA.
            ca = RegisteredCa(
                self,
                f"Ca-{certificate.fingerprint}",
                certificate=certificate,
                template=None if allow_list else template,
                now=now,
            )
            if allow_list:
                ca.resource.add_resource_dependency(allow_list.heard.permission)
        stuck = StuckDevices(self, "StuckDevices", limit=region.stuck_after, **self._functions)
        JitpMonitoring(
            self,
            "Monitoring",
            stuck=stuck.function,
            admission=allow_list.heard.function if allow_list else None,
            dead_letters=self._functions["dead_letters"],
            alarm_topic_arn=region.alarm_topic_arn,
        )
        values = {
            JitpOutput.TEMPLATE_NAME: region.template_name,
            JitpOutput.POLICY_NAME: policy.name,
            JitpOutput.ROLE_ARN: template.role.role_arn,
        }
        for output, value in values.items():
            CfnOutput(self, output, value=value)

    def _template(self, policy: DevicePolicy) -> JitpTemplate:
        region = self._region
        return JitpTemplate(
            self,
            "Template",
            name=region.template_name,
            policy=policy,
            thing_type=region.thing_type,
            thing_groups=region.thing_groups,
            billing_group=region.billing_group,
            reserved_prefix=ingest_settings.rule(region).prefix,
            enabled=region.first_connect is FirstConnect.TEMPLATE,
        )

    def _allow_list(self) -> AllowList:
        region = self._region
        return AllowList(
            self,
            "AllowList",
            template_name=region.template_name,
            thing_groups=region.thing_groups,
            billing_group=region.billing_group,
            reserved_prefix=ingest_settings.rule(region).prefix,
            **self._functions,
        )
