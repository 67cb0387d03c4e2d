"""
What a device may do, in either stack.
"""

import json
from typing import Any

import pytest

from tests.synth.conftest import Synthesized
from tests.synth.templates import ACCOUNT, filled, only

_MAX_CHARACTERS = 2048
_THING = "${iot:Connection.Thing.ThingName}"
_OWN = f"firstlight/{_THING}/*"
_SHADOW = f"$aws/things/{_THING}/shadow/*"


@pytest.mark.parametrize(
    ("stack", "name"),
    [("FirstlightIngest-eu-west-1", "FirstlightDevice"), ("FirstlightJitp-eu-west-1", "FirstlightJitpDevice")],
)
def test_a2_a_device_is_itself_and_speaks_on_its_own_topics(committed: Synthesized, stack: str, name: str) -> None:
    """
    Connect as the thing it is attached to; telemetry up, commands down, its echo, its shadow; nothing else.
    """
    policy = only(committed.templates[stack], "AWS::IoT::Policy")["Properties"]
    arn = f"arn:aws:iot:eu-west-1:{ACCOUNT}:"

    assert name == policy["PolicyName"]
    assert {
        "iot:Connect": {f"{arn}client/{_THING}"},
        "iot:Publish": {f"{arn}topic/{t}" for t in (f"dt/{_THING}/*", _OWN, _SHADOW)},
        "iot:Subscribe": {f"{arn}topicfilter/{t}" for t in (f"cmd/{_THING}/*", _OWN, _SHADOW)},
        "iot:Receive": {f"{arn}topic/{t}" for t in (f"cmd/{_THING}/*", _OWN, _SHADOW)},
    } == {s["Action"]: set(s["Resource"]) for s in _statements(policy)}


def test_connecting_takes_an_attached_certificate(committed: Synthesized) -> None:
    """
    What Device Defender's IOT_POLICY_OVERLY_PERMISSIVE asks for.
    """
    policy = only(committed.templates["FirstlightIngest-eu-west-1"], "AWS::IoT::Policy")["Properties"]
    conditions = {s["Action"]: s.get("Condition") for s in _statements(policy)}

    assert {"Bool": {"iot:Connection.Thing.IsAttached": "true"}} == conditions["iot:Connect"]


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_cloudformation_leaves_the_variables_alone(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    No Fn::Sub in a device policy: it would take `${iot:…}` for one of its own.
    """
    templates = request.getfixturevalue(synthesized).templates
    policies = [only(template, "AWS::IoT::Policy") for template in templates.values()]

    assert all(_THING in json.dumps(policy["Properties"]) for policy in policies)
    assert not any("Fn::Sub" in json.dumps(policy) for policy in policies)


def test_the_policy_is_short_enough(committed: Synthesized) -> None:
    """
    AWS counts 2,048 characters without white space; the longest region's name leaves room too.
    """
    policy = only(committed.templates["FirstlightIngest-eu-west-1"], "AWS::IoT::Policy")["Properties"]
    text = json.dumps(filled(policy["PolicyDocument"]), separators=(",", ":"))

    assert _MAX_CHARACTERS > len(text.replace("eu-west-1", "us-gov-northeast-1").replace("arn:aws:", "arn:aws-us-gov:"))


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = filled(policy["PolicyDocument"])["Statement"]
    assert {"Allow"} == {s["Effect"] for s in found}
    return found
