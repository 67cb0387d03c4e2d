"""
The role AWS IoT takes on while it provisions a device that connects for the first time.
"""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk import grants
from cdk.grants import Grant

_ONE_WORKFLOW = "AWS IAM knows no resource type for RegisterThing, the workflow that runs the template."
_ANNOUNCED = "Names with this prefix are pushed devices': no certificate that names itself so may take one over."
_UNKNOWN_YET = "Which devices will connect is not known before they do; their certificates name their things."


class ProvisioningRole(Construct):
    """
    May do what the template of firstlight.jitp leads to, with the features that are named, and no more.

    It is AWSIoTThingsRegistration without creating policies and certificates, detaching, and removing; and
    without groups, types and billing groups that are not named.  It passes no role on.

    Things whose name begins with *reserved_prefix*, if any, are out of its reach.  An *idle* one may do nothing: a
    template has to have a role, also one that nothing runs.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        policy_name: str,
        thing_type: str = "",
        thing_groups: Sequence[str] = (),
        billing_group: str = "",
        reserved_prefix: str = "",
        idle: bool = False,
    ) -> None:
        super().__init__(scope, id_)
        self._stack = Stack.of(self)
        denied = self._reservation(reserved_prefix) if reserved_prefix and not idle else []
        allowed = [] if idle else self._grants(policy_name, thing_type, thing_groups, billing_group)
        self.role = iam.Role(
            self,
            "Resource",
            assumed_by=_iot(self._stack),
            inline_policies={"Provision": grants.document(allowed, denied=denied)} if allowed else None,
        )
        resource = self.role.node.default_child
        assert isinstance(resource, iam.CfnRole)  # noqa: S101 -- narrows a type
        grants.justify(resource, [*allowed, *denied])

    def _reservation(self, prefix: str) -> list[Grant]:
        touching = ("CreateThing", "UpdateThing", "AttachThingPrincipal")
        return [_grant(*touching, on=[self._arn("thing", f"{prefix}*")], reason=_ANNOUNCED)]

    def _grants(
        self, policy_name: str, thing_type: str, thing_groups: Sequence[str], billing_group: str
    ) -> list[Grant]:
        on_certificate = ["DescribeCertificate", "UpdateCertificate", "AttachThingPrincipal"]
        # One power under its new and its old name: which of the two the workflow uses is nowhere documented.
        on_certificate += ["AttachPolicy", "AttachPrincipalPolicy"]
        # a device that is renewed, or was provisioned before, has its thing already
        on_thing = ["CreateThing", "DescribeThing", "UpdateThing", "AttachThingPrincipal"]
        on_names = [_grant("GetPolicy", on=[self._arn("policy", policy_name)])]
        if thing_type:
            on_names.append(_grant("DescribeThingType", on=[self._arn("thingtype", thing_type)]))
        if thing_groups:
            on_thing += ["AddThingToThingGroup", "ListThingGroupsForThing"]
            groups = [self._arn("thinggroup", name) for name in thing_groups]
            on_names.append(_grant("DescribeThingGroup", "AddThingToThingGroup", on=groups))
        if billing_group:
            on_thing.append("AddThingToBillingGroup")
            billing = self._arn("billinggroup", billing_group)
            on_names.append(_grant("DescribeBillingGroup", "AddThingToBillingGroup", "CreateThing", on=[billing]))
        return [
            _grant("RegisterThing", on=["*"], reason=_ONE_WORKFLOW),
            _grant(*on_certificate, on=[self._arn("cert", "*")], reason=_UNKNOWN_YET),
            _grant(*on_thing, on=[self._arn("thing", "*")], reason=_UNKNOWN_YET),
            *on_names,
        ]

    def _arn(self, kind: str, name: str) -> str:
        return self._stack.format_arn(service="iot", resource=kind, resource_name=name)


def _grant(*operations: str, on: list[str], reason: str = "") -> Grant:
    return Grant(actions=tuple(f"iot:{operation}" for operation in operations), resources=tuple(on), reason=reason)


def _iot(stack: Stack) -> iam.IPrincipal:
    # The confused deputy: without these, anybody's template in anybody's account could name this role.
    source = f"arn:{stack.partition}:iot:{stack.region}:{stack.account}:*"
    return iam.ServicePrincipal(
        "iot.amazonaws.com",
        conditions={"StringEquals": {"aws:SourceAccount": stack.account}, "ArnLike": {"aws:SourceArn": source}},
    )
