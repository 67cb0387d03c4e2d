"""
Nothing in the stacks reaches further than it must, and where it must the reason stands beside it.
"""

import copy
import json
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from cdk.grants import Grant
from firstlight.registries.aws_operations import FOR_EXTRAS, Operation
from tests.synth.conftest import Synthesized
from tests.synth.templates import ACCOUNT, function_role, permissions, resources, role_of, unreasoned

# A copy of AWS's Service Authorization Reference.
_REFERENCE = json.loads((Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text())["iot"]
# The reference names the certificate only; IAM is asked about the thing of the path too where it is emulated.
_BEYOND_REFERENCE = {("iot:AttachThingPrincipal", "thing")}
# The reference names the certificate, any of which may be asked about; where IAM is emulated it is asked about nothing.
_OF_ANY_CERTIFICATE = {"iot:ListPrincipalThings"}


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_every_wildcard_has_a_reason(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    No statement of any policy in any stack has a wildcard without one.
    """
    templates = request.getfixturevalue(synthesized).templates

    assert {} == {name: found for name, t in templates.items() if (found := unreasoned(t))}


_ALLOWED = {"Effect": "Allow", "Action": "iot:GetPolicy", "Resource": "arn:aws:iot:eu-west-1:123456789012:policy/P"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Resource": "*"}, "resource *"),
        ({"Resource": [_ALLOWED["Resource"], "arn:aws:iot:*:*:policy/*"]}, "resource arn:aws:iot:*:*:policy/*"),
        (
            {"Resource": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":*"]]}},
            "resource arn:<AWS::Partition>:*",
        ),
        ({"Action": ["iot:GetPolicy", "iot:*"]}, "action iot:*"),
        ({"NotAction": "iot:DeleteThing"}, "NotAction iot:DeleteThing"),
        ({"Principal": {"AWS": "*"}}, "principal {'AWS': '*'}"),
    ],
)
def test_a_wildcard_without_a_reason_is_found(committed: Synthesized, change: dict[str, Any], problem: str) -> None:
    """
    The test above is not blind: a statement that reaches further is named, wherever it stands.
    """
    template = copy.deepcopy(committed.templates["FirstlightJitp-eu-west-1"])
    role = role_of(template, "iot.amazonaws.com")
    role["Metadata"] = {}
    role["Properties"]["Policies"] = [{"PolicyDocument": {"Statement": [_ALLOWED | change]}}]

    assert [problem] == [line.partition(": ")[2] for line in unreasoned(template)]


@pytest.mark.parametrize(
    "resource",
    [
        {
            "Type": "AWS::IAM::Role",
            "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
        },
        {"Type": "AWS::Lambda::Permission", "Properties": {"Principal": "apigateway.amazonaws.com"}},
        {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {"Statement": [_ALLOWED | {"Resource": "*"}]}}},
    ],
)
def test_other_ways_to_reach_further_are_found(resource: dict[str, Any]) -> None:
    """
    A policy that AWS manages, a function anybody may invoke, a device policy: all need their reason.
    """
    assert 1 == len(unreasoned({"Resources": {"R": resource}}))


def test_an_empty_reason_is_none(committed: Synthesized) -> None:
    """
    A reason is a sentence.
    """
    template = copy.deepcopy(committed.templates["FirstlightIngest-eu-west-1"])
    for policy in resources(template, "AWS::IoT::Policy").values():
        policy["Metadata"]["Firstlight"]["Wildcards"][0]["Reason"] = " "

    assert unreasoned(template)


@pytest.mark.parametrize("grant", [{"resources": ("*",)}, {"actions": ("iot:*",), "resources": ("arn:x",)}])
def test_a_grant_without_reason_cannot_be_made(grant: dict[str, Any]) -> None:
    """
    The constructs refuse before the tests have to.
    """
    with pytest.raises(ValueError, match="pattern"):
        Grant(**{"actions": ("iot:GetPolicy",)} | grant)


def test_a7_the_function_may_do_what_it_calls_and_no_more(committed: Synthesized, full: Synthesized) -> None:
    """
    Its IoT actions are the registry's operations; it asks for no endpoint where it is told one.  It gives no
    thing a type or groups: that is for manifests.
    """
    all_of_them = {operation.action for operation in Operation if operation not in FOR_EXTRAS}

    assert all_of_them == _iot_actions(committed.templates["FirstlightIngest-eu-west-1"])
    assert all_of_them - {"iot:DescribeEndpoint"} == _iot_actions(full.of("Ingest"))


def test_the_worker_registers_and_inspects_nothing(committed: Synthesized) -> None:
    """
    It may do what a push needs; nobody asks it for a status.
    """
    template = committed.templates["FirstlightIngest-eu-west-1"]
    asked = {"iot:ListAttachedPolicies", "iot:ListPrincipalThings"}

    assert _iot_actions(template) - asked == _iot_actions(template, "worker")


def test_each_function_does_its_part_with_the_queue_only(committed: Synthesized) -> None:
    """
    One puts in, the other takes out; neither touches what was put aside.
    """
    template = committed.templates["FirstlightIngest-eu-west-1"]
    (queue,) = (
        name for name, q in resources(template, "AWS::SQS::Queue").items() if "RedrivePolicy" in q["Properties"]
    )
    of_queues = {
        handler: {p for p in permissions(function_role(template, handler)) if p[0].startswith("sqs:")}
        for handler in ("interop", "worker")
    }

    taking = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
    assert {("sqs:SendMessage", f"<{queue}.Arn>")} == of_queues["interop"]
    assert {(f"sqs:{action}", f"<{queue}.Arn>") for action in taking} == of_queues["worker"]


def test_the_function_touches_its_own_things_only(committed: Synthesized, full: Synthesized) -> None:
    """
    Things are limited to the region's prefix, the policy to the stack's own.
    """
    allowed = permissions(function_role(committed.templates["FirstlightIngest-eu-west-1"]))
    things = {r for action, r in permissions(function_role(full.of("Ingest"))) if action == "iot:CreateThing"}

    assert ("iot:GetPolicy", f"arn:aws:iot:eu-west-1:{ACCOUNT}:policy/FirstlightDevice") in allowed
    assert ("iot:CreateThing", f"arn:aws:iot:eu-west-1:{ACCOUNT}:thing/Infineon_*") in allowed
    assert {"arn:aws:iot:eu-central-1:210987654321:thing/plant-7:*"} == things


def test_the_function_writes_to_its_own_log_only(committed: Synthesized) -> None:
    """
    It makes streams and lines in the group the stack made, and no group.
    """
    allowed = permissions(function_role(committed.templates["FirstlightIngest-eu-west-1"]))
    logs = {(action, resource.rpartition(".")[2]) for action, resource in allowed if action.startswith("logs:")}

    assert {("logs:CreateLogStream", "Arn>"), ("logs:PutLogEvents", "Arn>")} == logs


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_resources_are_of_types_that_iam_looks_at(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    A statement about a kind of resource that an action does not know allows nothing; `*` is for actions without any.
    """
    roles = [
        role
        for template in request.getfixturevalue(synthesized).templates.values()
        for role in resources(template, "AWS::IAM::Role").values()
        if "Policies" in role["Properties"]
    ]

    for action, resource in {p for role in roles for p in permissions(role) if p[0].startswith("iot:")}:
        known = _REFERENCE["Actions"][action.removeprefix("iot:").lower()].get("Resources", [])
        kind = resource.split(":", 5)[-1].partition("/")[0]
        assert (resource == "*") == (known == [] or action in _OF_ANY_CERTIFICATE), action
        assert resource == "*" or kind in known or (action, kind) in _BEYOND_REFERENCE, (action, resource)


def test_provisioning_needs_no_more_than_the_template_names(
    committed: Synthesized, just_in_time: dict[str, Any]
) -> None:
    """
    Groups, types and billing groups bring their permissions, on themselves; nobody passes a role on.
    """
    plain = role_of(committed.templates["FirstlightJitp-eu-west-1"], "iot.amazonaws.com")
    everything = role_of(just_in_time, "iot.amazonaws.com")
    named = {
        (action, resource.split(":", 5)[-1]) for action, resource in permissions(everything) if "*" not in resource
    }

    assert {
        "iot:AttachPolicy",
        "iot:AttachPrincipalPolicy",
        "iot:AttachThingPrincipal",
        "iot:CreateThing",
        "iot:DescribeCertificate",
        "iot:DescribeThing",
        "iot:GetPolicy",
        "iot:RegisterThing",
        "iot:UpdateCertificate",
        "iot:UpdateThing",
    } == {action for action, _ in permissions(plain)}
    assert {
        ("iot:GetPolicy", "policy/FirstlightJitpDevice"),
        ("iot:DescribeThingType", "thingtype/sensor"),
        ("iot:DescribeThingGroup", "thinggroup/plant-7"),
        ("iot:DescribeThingGroup", "thinggroup/unclaimed"),
        ("iot:AddThingToThingGroup", "thinggroup/plant-7"),
        ("iot:AddThingToThingGroup", "thinggroup/unclaimed"),
        ("iot:DescribeBillingGroup", "billinggroup/cost-centre-7"),
        ("iot:AddThingToBillingGroup", "billinggroup/cost-centre-7"),
        ("iot:CreateThing", "billinggroup/cost-centre-7"),
    } == named


def test_a_device_that_names_itself_takes_no_pushed_devices_name(committed: Synthesized) -> None:
    """
    Who holds the key of a registered CA may write any common name, `Infineon_…` included.
    """
    role = role_of(committed.templates["FirstlightJitp-eu-west-1"], "iot.amazonaws.com")
    (document,) = [p["PolicyDocument"] for p in role["Properties"]["Policies"]]
    (denied,) = [s for s in document["Statement"] if s["Effect"] == "Deny"]

    assert {"iot:CreateThing", "iot:UpdateThing", "iot:AttachThingPrincipal"} == set(denied["Action"])
    assert json.dumps(denied["Resource"]).endswith(':thing/Infineon_*"]]}')


def test_the_provisioning_role_is_for_this_account_only(committed: Synthesized) -> None:
    """
    AWS IoT may take it on, for this account and region: no confused deputy.
    """
    role = role_of(committed.templates["FirstlightJitp-eu-west-1"], "iot.amazonaws.com")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    account = {"Ref": "AWS::AccountId"}
    source = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iot:eu-west-1:", account, ":*"]]}

    assert {"Service": "iot.amazonaws.com"} == trust["Principal"]
    assert {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": source},
    } == trust["Condition"]


def _iot_actions(template: dict[str, Any], handler: str = "interop") -> set[str]:
    return {action for action, _ in permissions(function_role(template, handler)) if action.startswith("iot:")}
