"""
IoT policies as AWS IoT evaluates them: wildcards, variables, conditions, Deny.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.errors import RegistryError
from firstlight.policies import variables
from firstlight.policies.iot_policy import Action, Permissions
from firstlight.policies.patterns import Context, meets
from firstlight.policies.statements import allowed, parse
from firstlight.policies.variables import Thing
from tests.factory import Factory

ARN = "arn:aws:iot:eu-west-1:123456789012:"
Values = dict[str, str | tuple[str, ...]]


def permissions(*statements: dict[str, Any], **values: str | tuple[str, ...]) -> Permissions:
    return Permissions(parse({"Statement": list(statements)}, "p"), Context(values))


def statement(action: str | list[str], *resources: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": [ARN + r for r in resources], **more}


def publishes(policy: Permissions, topic: str) -> bool:
    return policy.allow(Action.PUBLISH, f"{ARN}topic/{topic}")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a*c", "abbbc", True),
        ("a*c", "abbbd", False),
        ("dt/*", "dt/x/y/z", True),
        ("dt/?", "dt/x", True),
        ("dt/?", "dt/xy", False),
        ("a.c", "abc", False),
        ("dt/+/#", "dt/+/#", True),
        ("dt/+/#", "dt/x/y", False),
        ("${*}", "*", True),
        ("${*}", "x", False),
        ("*", "line\nbreak", True),
    ],
)
def test_wildcards(pattern: str, text: str, *, expected: bool) -> None:
    """
    * and ? are the wildcards, over every level; MQTT's + and # are characters like others.
    """
    assert expected == meets(text, pattern, Context({}))


@given(st.text())
def test_every_text_meets_itself_when_its_wildcards_are_escaped(text: str) -> None:
    """
    No character of a topic has a meaning nobody gave it.
    """
    pattern = "".join(f"${{{c}}}" if c in "*?$" else c for c in text)

    assert meets(text, pattern, Context({}))


def test_nothing_is_allowed_without_a_statement() -> None:
    """
    The default is no.
    """
    assert not publishes(permissions(), "x")


def test_deny_wins() -> None:
    """
    One Deny outweighs any number of Allows, in whichever order.
    """
    policy = permissions(
        statement("iot:Publish", "topic/dt/secret", effect="Deny"), statement("iot:*", "topic/*"), statement("*", "*")
    )

    assert (True, False) == (publishes(policy, "dt/open"), publishes(policy, "dt/secret"))


def test_actions_are_told_apart() -> None:
    """
    Publish is not Receive, a topic is not a topic filter; case does not matter in actions.
    """
    policy = permissions(statement(["iot:publish", "iot:Sub*"], "topic/a", "topicfilter/a/#"))

    assert [True, False, True, False] == [
        policy.allow(Action.PUBLISH, f"{ARN}topic/a"),
        policy.allow(Action.RECEIVE, f"{ARN}topic/a"),
        policy.allow(Action.SUBSCRIBE, f"{ARN}topicfilter/a/#"),
        policy.allow(Action.SUBSCRIBE, f"{ARN}topicfilter/a/+"),
    ]


def test_not_action_and_not_resource() -> None:
    """
    Everything but.
    """
    policy = permissions(
        {"Effect": "Allow", "NotAction": "iot:Receive", "NotResource": [f"{ARN}topic/secret", f"{ARN}topic/s/*"]}
    )

    assert [True, False, False, False] == [
        publishes(policy, "open"),
        publishes(policy, "secret"),
        publishes(policy, "s/x"),
        policy.allow(Action.RECEIVE, f"{ARN}topic/open"),
    ]


def test_variables() -> None:
    """
    A variable stands for the connection's own value, literally.
    """
    policy = permissions(
        statement("iot:Publish", "topic/dt/${iot:ClientId}/*", "topic/by/${IOT:clientid}"), **{"iot:ClientId": "a.b"}
    )

    assert [True, True, False] == [
        publishes(policy, "dt/a.b/x"),
        publishes(policy, "by/a.b"),
        publishes(policy, "dt/aXb/x"),
    ]


@pytest.mark.parametrize("value", ["*", "a*", "a?", "a+", "a/#", "$aws", "x" * 1025])
def test_a_value_with_a_wildcard_is_not_put_in(value: str) -> None:
    """
    A client that calls itself * gets nobody's topics, its own included.
    """
    policy = permissions(statement("iot:Publish", "topic/dt/${iot:ClientId}"), **{"iot:ClientId": value})

    assert (False, False) == (publishes(policy, "dt/other"), publishes(policy, f"dt/{value}"))


def test_a_variable_without_a_value_meets_nothing() -> None:
    """
    Neither in Allow nor in Deny; the statement's other resources stay.
    """
    policy = permissions(
        statement("iot:Publish", "topic/${iot:Connection.Thing.ThingName}", "topic/own"),
        statement("iot:Publish", "topic/${iot:Connection.Thing.ThingTypeName}*", effect="Deny"),
    )

    assert [True, False, False] == [
        publishes(policy, "own"),
        publishes(policy, ""),
        publishes(policy, "${iot:Connection.Thing.ThingName}"),
    ]


CONDITIONS: list[tuple[str, Values, bool]] = [
    ('{"Bool": {"k": "true"}}', {"k": "true"}, True),
    ('{"Bool": {"k": ["true"]}}', {"k": "false"}, False),
    ('{"Bool": {"k": true}}', {"k": "true"}, True),
    ('{"Bool": {"k": "true"}}', {}, False),
    ('{"BoolIfExists": {"k": "true"}}', {}, True),
    ('{"StringEquals": {"k": ["a", "b"]}}', {"k": "b"}, True),
    ('{"StringEquals": {"k": "a*"}}', {"k": "ab"}, False),
    ('{"StringEqualsIgnoreCase": {"k": "AB"}}', {"k": "ab"}, True),
    ('{"StringNotEquals": {"k": ["a", "b"]}}', {"k": "b"}, False),
    ('{"StringNotEquals": {"k": ["a", "b"]}}', {"k": "c"}, True),
    ('{"StringNotEquals": {"k": "a"}}', {}, True),
    ('{"StringLike": {"k": "a*"}}', {"k": "abc"}, True),
    ('{"StringNotLike": {"k": "a*"}}', {"k": "abc"}, False),
    ('{"StringEquals": {"k": "${iot:ClientId}"}}', {"k": "me", "iot:ClientId": "me"}, True),
    ('{"StringEquals": {"k": "${iot:ClientId}"}}', {"k": "me"}, False),
    ('{"ArnLike": {"k": "arn:aws:iot:*:123456789012:*"}}', {"k": "arn:aws:iot:x:123456789012:y/z"}, True),
    ('{"ArnNotLike": {"k": "arn:*"}}', {"k": "arn:x"}, False),
    ('{"Null": {"k": "true"}}', {}, True),
    ('{"Null": {"k": "false"}}', {}, False),
    ('{"Null": {"k": "false"}}', {"k": "x"}, True),
    ('{"NumericLessThan": {"k": "10"}}', {"k": "9.5"}, True),
    ('{"NumericEquals": {"k": 3}}', {"k": "3"}, True),
    ('{"NumericGreaterThanEquals": {"k": "4"}}', {"k": "x"}, False),
    ('{"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}', {"aws:SourceIp": "127.0.0.1"}, True),
    ('{"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}', {"aws:SourceIp": "127.0.0.1"}, False),
    ('{"ForAnyValue:StringEquals": {"k": ["a", "b"]}}', {"k": ("x", "b")}, True),
    ('{"ForAnyValue:StringEquals": {"k": "a"}}', {}, False),
    ('{"ForAllValues:StringEquals": {"k": ["a", "b"]}}', {"k": ("a", "b")}, True),
    ('{"ForAllValues:StringEquals": {"k": ["a", "b"]}}', {"k": ("a", "x")}, False),
    ('{"ForAllValues:StringEquals": {"k": "a"}}', {}, True),
    ('{"StringEquals": {"k": "a"}, "Bool": {"b": "true"}}', {"k": "a", "b": "false"}, False),
    ('{"DateLessThan": {"k": "2030-01-01"}}', {"k": "2026-01-01"}, False),
    ('{"ForSomeValues:StringEquals": {"k": "a"}}', {"k": "a"}, False),
]


@pytest.mark.parametrize(("condition", "values", "expected"), CONDITIONS)
def test_conditions(condition: str, values: Values, *, expected: bool) -> None:
    """
    The operators that device policies use; one that nobody here understands allows nothing.
    """
    text = f'{{"Statement": {{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*", "Condition": {condition}}}}}'

    assert expected == publishes(Permissions(parse(text, "p"), Context(values)), "x")


def test_a_deny_whose_condition_nobody_understands_denies() -> None:
    """
    Not understanding is never a way in.
    """
    policy = permissions(
        statement("iot:*", "topic/*"),
        statement("iot:*", "topic/*", effect="Deny", Condition={"DateLessThan": {"k": "2030-01-01"}}),
    )

    assert not publishes(policy, "x")


def test_variables_of_a_thing() -> None:
    """
    Name, type, attributes and being attached, for a connection that is the thing.
    """
    thing = Thing(name="lamp", type_name="Lamp", attributes={"site": "north", "Site": "south"})
    context = Context(variables.of_connection("lamp", "127.0.0.1", thing, persistent=False, has_will=False))

    assert ["lamp", "Lamp", "north", "south", None] == [
        context.substitution(f"iot:Connection.Thing.{name}")
        for name in ("ThingName", "ThingTypeName", "Attributes[site]", "Attributes[Site]", "Attributes[room]")
    ]
    assert ("true",) == context.get("iot:Connection.Thing.IsAttached")


def test_a_connection_that_is_no_thing() -> None:
    """
    IsAttached is "false" and the thing's variables have no value.
    """
    context = Context(variables.of_connection("lamp", "127.0.0.1", None, persistent=False, has_will=False))

    assert ("false",) == context.get("iot:Connection.Thing.IsAttached")
    assert context.substitution("iot:Connection.Thing.ThingName") is None


def test_connect_attributes() -> None:
    """
    A policy can tell persistent sessions and wills apart.
    """
    context = Context(variables.of_connection("c", "127.0.0.1", None, persistent=True, has_will=True))
    plain = Context(variables.of_connection("c", "127.0.0.1", None, persistent=False, has_will=False))

    assert ("PersistentConnect", "LastWill") == context.get("iot:ConnectAttributes")
    assert plain.get("iot:ConnectAttributes") is None


def test_variables_of_a_certificate(factory: Factory) -> None:
    """
    Id, decimal serial, subject and issuer; what the certificate lacks has no value.
    """
    leaf = factory.leaf("device-1", serial=0x15FC8EA1)
    context = Context(variables.of_certificate(leaf))

    assert [leaf.fingerprint, "368873121", "device-1", "Test Device CA", "device-1", None] == [
        context.substitution(f"iot:{name}")
        for name in (
            "CertificateId",
            "Certificate.SerialNumber",
            "Certificate.Subject.CommonName",
            "Certificate.Issuer.CommonName",
            "Certificate.Subject.CommonName.0",
            "Certificate.Subject.Organization",
        )
    ]


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", '{"Statement": [{"Effect": "Perhaps", "Action": "*", "Resource": "*"}]}', '{"Statement": ["x"]}'],
)
def test_what_is_no_policy_is_named(document: str) -> None:
    """
    A broken document is an error that names its policy, not a silent no.
    """
    with pytest.raises(RegistryError, match="policy broken is not a policy document"):
        parse(document, "broken")


def test_iam_policies_are_read_the_same_way() -> None:
    """
    Roles are judged by the evaluator that judges devices.
    """
    statements = parse({"Statement": [statement(["iot:Create*", "iot:AttachPolicy"], "thing/*", "cert/*")]}, "role")

    assert [True, False] == [
        allowed(statements, action, f"{ARN}thing/x", Context({})) for action in ("iot:CreateThing", "iot:UpdateThing")
    ]
