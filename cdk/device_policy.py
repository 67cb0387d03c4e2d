"""
What a provisioned device may do: be itself, and speak on its own topics.
"""

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iot as iot
from constructs import Construct

from cdk import grants
from cdk.grants import Grant

# AWS IoT fills these in at connect, publish and so on; CloudFormation and CDK must leave them alone.  They have
# a value only for a client whose id is the name of a thing its certificate is attached to.
THING = "${iot:Connection.Thing.ThingName}"
_SUBTREE = "The thing's own subtree of topics; the variable is the name of the connected thing and of no other."


class DevicePolicy(Construct):
    """
    An AWS IoT policy named *name*, as Device Defender wants it (audit check IOT_POLICY_OVERLY_PERMISSIVE).

    Telemetry goes up on `dt/<thing>/…`, commands come down on `cmd/<thing>/…`; `firstlight/<thing>/…` is an
    echo for `firstlight verify`; the thing's shadows are its own.
    """

    def __init__(self, scope: Construct, id_: str, *, name: str) -> None:
        super().__init__(scope, id_)
        self.name = name
        statements = _statements(Stack.of(self).format_arn(service="iot", resource=""))
        self.resource = iot.CfnPolicy(
            self, "Resource", policy_name=name, policy_document={"Version": "2012-10-17", "Statement": statements}
        )
        # Every device stands on it: AWS refuses to delete a policy that is attached to a certificate, and a
        # device without one is offline.  What a failed creation left goes, so that the next one finds no namesake.
        self.resource.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        grants.justify(
            self.resource,
            [Grant(actions=(s["Action"],), resources=tuple(s["Resource"]), reason=_SUBTREE) for s in statements],
        )


def _statements(arn: str) -> list[dict[str, Any]]:
    shadow = f"$aws/things/{THING}/shadow/*"
    up, down, echo = f"dt/{THING}/*", f"cmd/{THING}/*", f"firstlight/{THING}/*"
    return [
        {
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": [f"{arn}client/{THING}"],
            "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
        },
        _allow("iot:Publish", f"{arn}topic/", up, echo, shadow),
        _allow("iot:Subscribe", f"{arn}topicfilter/", down, echo, shadow),
        _allow("iot:Receive", f"{arn}topic/", down, echo, shadow),
    ]


def _allow(action: str, prefix: str, *topics: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": [prefix + topic for topic in topics]}
