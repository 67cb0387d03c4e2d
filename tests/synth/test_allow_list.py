"""
The allow-list of first connects, and what counts stuck devices: who may do what, and what is watched.
"""

import json
from typing import Any

import pytest

from firstlight.first_connect.operations import Admitting
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.first_connect.stuck import EXPIRES, KEY
from firstlight.registries import aws_announcements
from firstlight.registries.aws_operations import Operation
from tests.synth.conftest import Synthesized
from tests.synth.templates import filled, function_role, only, permissions, resources, role_of

_HERE = "arn:aws:iot:eu-central-1:210987654321:"


@pytest.fixture(scope="session")
def jitp(full: Synthesized) -> dict[str, Any]:
    return full.of("Jitp")


def test_the_template_is_there_and_nobody_can_run_it(jitp: dict[str, Any], just_in_time: dict[str, Any]) -> None:
    """
    The function reads it: the same template, the same result.  A CA that names it from before provisions nobody.
    """
    ours, theirs = (only(t, "AWS::IoT::ProvisioningTemplate")["Properties"] for t in (jitp, just_in_time))

    assert (False, True) == (ours["Enabled"], theirs["Enabled"])
    assert theirs["TemplateBody"] == ours["TemplateBody"]
    assert "Policies" not in role_of(jitp, "iot.amazonaws.com")["Properties"]


def test_cas_register_devices_and_provision_none(jitp: dict[str, Any]) -> None:
    """
    Registered with auto-registration and without a template, once somebody hears of it.
    """
    cas = resources(jitp, "AWS::IoT::CACertificate").values()

    assert 2 == len(cas)
    for ca in cas:
        assert ("ENABLE", None) == tuple(
            ca["Properties"].get(k) for k in ("AutoRegistrationStatus", "RegistrationConfig")
        )
        assert ["AWS::Lambda::Permission"] == [jitp["Resources"][name]["Type"] for name in ca["DependsOn"]]


def test_both_functions_hear_the_event_and_nobody_else_invokes_them(jitp: dict[str, Any]) -> None:
    """
    Every certificate AWS IoT registers by itself, by a rule of the function's own, of this account.
    """
    rules, permissions_ = resources(jitp, "AWS::IoT::TopicRule"), resources(jitp, "AWS::Lambda::Permission")

    assert {"SELECT * FROM '$aws/events/certificates/registered/+'"} == {
        r["Properties"]["TopicRulePayload"]["Sql"] for r in rules.values()
    }
    assert {("iot.amazonaws.com", "210987654321")} == {
        (p["Properties"]["Principal"], p["Properties"]["SourceAccount"]) for p in permissions_.values()
    }
    invoked = {
        name: r["Properties"]["TopicRulePayload"]["Actions"][0]["Lambda"]["FunctionArn"] for name, r in rules.items()
    }
    assert sorted(map(json.dumps, invoked.values())) == sorted(
        json.dumps(p["Properties"]["FunctionName"]) for p in permissions_.values()
    )
    for p in permissions_.values():
        rule, _ = p["Properties"]["SourceArn"]["Fn::GetAtt"]
        assert invoked[rule] == p["Properties"]["FunctionName"]


def test_the_functions_are_told_what_they_read(jitp: dict[str, Any]) -> None:
    """
    The environment is the settings, read with the code that wrote it.
    """
    told = {
        f["Properties"]["Handler"]: filled(f["Properties"]["Environment"]["Variables"])
        for f in resources(jitp, "AWS::Lambda::Function").values()
    }
    admission = FirstConnectSettings.from_env(told["lambdas.admission.handler"])
    counting = FirstConnectSettings.from_env(told["lambdas.stuck.handler"])

    assert ("Plant7", "plant-7:", "7") == (admission.template_name, admission.reserved_prefix, counting.stuck_after)
    assert admission.announcements_table
    assert counting.connects_table
    assert admission.announcements_table != counting.connects_table


def test_the_admission_may_do_what_it_calls_and_no_more(jitp: dict[str, Any]) -> None:
    """
    On the group and billing group that are named, and on no others; it reads and ends announcements.
    """
    allowed = permissions(function_role(jitp, "admission"))
    named = {(action, resource.removeprefix(_HERE)) for action, resource in allowed if "*" not in resource}

    assert {
        *(operation.action for operation in Admitting),
        Operation.DESCRIBE_CERTIFICATE.action,
        Operation.ATTACH_POLICY.action,
        Operation.ATTACH_PRINCIPAL.action,
        Operation.CREATE_THING.action,
        Operation.DESCRIBE_THING.action,
        Operation.LIST_PRINCIPALS.action,
        Operation.UPDATE_THING.action,
        Operation.ADD_TO_GROUP.action,
        Operation.ADD_TO_BILLING_GROUP.action,
    } == {action for action, _ in allowed if action.startswith("iot:")}
    assert {
        ("iot:DescribeProvisioningTemplate", "provisioningtemplate/Plant7"),
        ("iot:AddThingToThingGroup", "thinggroup/plant-7"),
        ("iot:AddThingToThingGroup", "thinggroup/unclaimed"),
        ("iot:AddThingToBillingGroup", "billinggroup/cost-centre-7"),
    } == {pair for pair in named if pair[0].startswith("iot:")}
    assert {"dynamodb:GetItem", "dynamodb:DeleteItem"} == {a for a, _ in allowed if a.startswith("dynamodb:")}


@pytest.mark.parametrize("synthesized", ["committed", "full"])
def test_counting_touches_nothing_but_its_table(synthesized: str, request: pytest.FixtureRequest) -> None:
    """
    It looks a certificate up, and changes none.
    """
    template = next(t for n, t in request.getfixturevalue(synthesized).templates.items() if "Jitp" in n)
    actions = {action for action, _ in permissions(function_role(template, "stuck"))}

    assert {
        "dynamodb:UpdateItem",
        "iot:DescribeCertificate",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    } == actions


def test_a_push_may_announce_where_there_is_an_allow_list(committed: Synthesized, full: Synthesized) -> None:
    """
    And nowhere else; it reads nothing there.
    """
    ours = {p for p in permissions(function_role(full.of("Ingest"))) if p[0].startswith("dynamodb:")}
    table = f"arn:aws:dynamodb:eu-central-1:210987654321:table/{aws_announcements.TABLE}"
    theirs = permissions(function_role(committed.templates["FirstlightIngest-eu-west-1"]))

    assert {("dynamodb:BatchWriteItem", table)} == ours
    assert not any(action.startswith("dynamodb:") for action, _ in theirs)


def test_tables_cost_what_is_used_and_forget(jitp: dict[str, Any]) -> None:
    """
    Announcements can be restored to any second of the last 35 days; an hour's counters need not be.
    """
    tables = {
        t["Properties"].get("TableName", ""): t["Properties"] for t in resources(jitp, "AWS::DynamoDB::Table").values()
    }
    announcements, connects = tables[aws_announcements.TABLE], tables[""]

    for table, key, expires in (
        (announcements, aws_announcements.KEY, aws_announcements.EXPIRES),
        (connects, KEY, EXPIRES),
    ):
        assert ("PAY_PER_REQUEST", {"SSEEnabled": True}) == (table["BillingMode"], table["SSESpecification"])
        assert {"AttributeName": expires, "Enabled": True} == table["TimeToLiveSpecification"]
        assert [{"AttributeName": key, "KeyType": "HASH"}] == table["KeySchema"]
    assert [True, False] == [
        t["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for t in (announcements, connects)
    ]


def test_what_a_function_gives_up_is_kept_and_heard(jitp: dict[str, Any]) -> None:
    """
    After two more tries within an hour, in a queue that keeps it for two weeks.
    """
    configs = [c["Properties"] for c in resources(jitp, "AWS::Lambda::EventInvokeConfig").values()]
    queue_name, queue = next(iter(resources(jitp, "AWS::SQS::Queue").items()))

    assert [(2, 3600)] * 2 == [(c["MaximumRetryAttempts"], c["MaximumEventAgeInSeconds"]) for c in configs]
    assert {f"<{queue_name}.Arn>"} == {filled(c["DestinationConfig"]["OnFailure"]["Destination"]) for c in configs}
    assert (14 * 86_400, True) == (
        queue["Properties"]["MessageRetentionPeriod"],
        queue["Properties"]["SqsManagedSseEnabled"],
    )


def test_alarms_hear_of_stuck_and_refused_devices_and_of_failing_functions(jitp: dict[str, Any]) -> None:
    """
    JITP's own metrics are silent here: nothing runs it.
    """
    alarms = [a["Properties"] for a in resources(jitp, "AWS::CloudWatch::Alarm").values()]

    assert [
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Errors"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("firstlight", "RefusedAtFirstConnect"),
        ("firstlight", "Stuck"),
    ] == sorted((a["Namespace"], a["MetricName"]) for a in alarms)
    dimensions = {d["Name"] for a in alarms if a["Namespace"] == "firstlight" for d in a["Dimensions"]}
    assert {"region", "function"} == dimensions
