"""
What AWS IoT makes of a device that connects for the first time, and the names that takes.
"""

from collections.abc import Sequence

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_iot as iot
from constructs import Construct

from cdk.device_policy import DevicePolicy
from cdk.provisioning_role import ProvisioningRole
from firstlight.jitp import template


class JitpTemplate(Construct):
    """
    A provisioning template named *name*, with everything that it names: AWS creates none of that, and a device
    whose template names something missing stays PENDING_ACTIVATION without a word.

    Unless it is *enabled* no CA can run it, also none that names it from before, and its role may do nothing.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        policy: DevicePolicy,
        thing_type: str = "",
        thing_groups: Sequence[str] = (),
        billing_group: str = "",
        reserved_prefix: str = "",
        enabled: bool = True,
    ) -> None:
        super().__init__(scope, id_)
        self.name = name
        self.role = ProvisioningRole(
            self,
            "Role",
            policy_name=policy.name,
            thing_type=thing_type,
            thing_groups=thing_groups,
            billing_group=billing_group,
            reserved_prefix=reserved_prefix,
            idle=not enabled,
        ).role
        body = template.build(
            policy_name=policy.name, thing_type=thing_type, thing_groups=thing_groups, billing_group=billing_group
        )
        self.resource = iot.CfnProvisioningTemplate(
            self,
            "Resource",
            template_name=name,
            template_type="JITP",
            # the kill switch: without it the template is there and does nothing
            enabled=enabled,
            description="firstlight: provisions a device when it first connects",
            provisioning_role_arn=self.role.role_arn,
            template_body=template.to_aws(body),
        )
        self.resource.add_resource_dependency(policy.resource)
        if thing_type:
            self._name(iot.CfnThingType(self, "ThingType", thing_type_name=thing_type))
        for group in thing_groups:
            self._name(iot.CfnThingGroup(self, f"ThingGroup-{group}", thing_group_name=group))
        if billing_group:
            self._name(iot.CfnBillingGroup(self, "BillingGroup", billing_group_name=billing_group))

    def _name(self, resource: CfnResource) -> None:
        # Things outlive the stack, and what classifies them with them; a type in use could not be deleted anyway.
        resource.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        self.resource.add_resource_dependency(resource)
