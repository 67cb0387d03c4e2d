"""
Topic rules on the laptop: which messages they act upon, and what is said of those that are not run.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from firstlight.errors import RegistryError
from firstlight.local.aws_iot.topic_rules import Rule, TopicRules
from firstlight.local.mqtt import Message

EVENT = Message("$aws/events/certificates/registered/ca-1", b'{"certificateId": "c"}')
LAMBDA = {"lambda": {"functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:admit"}}


@dataclass
class MemoryRules:
    """
    A `Rules`; `invoked` is what was invoked with which payload, by which rule.
    """

    rules: list[Rule] = field(default_factory=list)
    invoked: list[tuple[str, str, bytes]] = field(default_factory=list)
    refuses: bool = False
    closed: bool = False

    def enabled(self) -> Mapping[str, str]:
        return {rule.name: rule.sql.partition("'")[2].partition("'")[0] for rule in self.rules}

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def invoke(self, rule: Rule, function_arn: str, payload: bytes) -> None:
        if self.refuses:
            raise RegistryError("The policy does not let it.")
        self.invoked.append((rule.name, function_arn.rpartition(":")[2], payload))

    def close(self) -> None:
        self.closed = True


def rule(sql: str, *actions: Mapping[str, Any], name: str = "rule") -> Rule:
    return Rule(name, f"arn:aws:iot:eu-west-1:123456789012:rule/{name}", sql, actions or (LAMBDA,))


@pytest.mark.parametrize(
    "pattern",
    [
        "$aws/events/certificates/registered/+",
        "$aws/events/certificates/registered/#",
        "$aws/events/certificates/registered/ca-1",
        "$aws/events/#",
    ],
)
def test_a_rule_hears_what_its_filter_meets(pattern: str) -> None:
    """
    The payload arrives as it was published.
    """
    rules = MemoryRules([rule(f"select * FROM '{pattern}'")])
    TopicRules(rules).act(EVENT)
    assert [("rule", "admit", EVENT.payload)] == rules.invoked


@pytest.mark.parametrize("pattern", ["$aws/events/certificates/registered/ca-2", "$aws/events/presence/#", "#", "+/#"])
def test_a_rule_hears_nothing_else(pattern: str) -> None:
    """
    A filter that begins with a wildcard meets no topic that begins with $.
    """
    rules = MemoryRules([rule(f"SELECT * FROM '{pattern}'")])
    TopicRules(rules).act(EVENT)
    assert [] == rules.invoked


def test_two_rules_both_act(caplog: pytest.LogCaptureFixture) -> None:
    """
    An action that is not known here stops neither the next one nor the next rule, and is said.
    """
    sql = "SELECT * FROM '$aws/events/certificates/registered/+'"
    rules = MemoryRules([rule(sql, {"firehose": {}}, LAMBDA, name="one"), rule(sql, name="two")])
    TopicRules(rules).act(EVENT)
    assert ["one", "two"] == [name for name, _, _ in rules.invoked]
    assert "The topic rule one has the action firehose, which is not run here." in caplog.text


def test_sql_that_is_not_understood_is_said_not_guessed(caplog: pytest.LogCaptureFixture) -> None:
    """
    A WHERE that were ignored would act upon what it excludes.
    """
    rules = MemoryRules([rule("SELECT * FROM '$aws/events/#' WHERE certificateStatus = 'ACTIVE'")])
    TopicRules(rules).act(EVENT)
    assert [] == rules.invoked
    assert "The topic rule rule is not run here" in caplog.text


def test_a_function_that_may_not_be_invoked_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """
    On AWS this is what a forgotten permission looks like: nothing happens.
    """
    rules = MemoryRules([rule("SELECT * FROM '$aws/events/#'")], refuses=True)
    TopicRules(rules).act(EVENT)
    assert "The topic rule rule did not lambda: The policy does not let it." in caplog.text


def test_messages_of_devices_are_left_to_subscribers(caplog: pytest.LogCaptureFixture) -> None:
    """
    Only what AWS IoT itself publishes meets rules here; what was heard is done before it closes.
    """
    rules = MemoryRules([rule("SELECT * FROM 'dt/#'"), rule("SELECT * FROM '$aws/events/#'", name="events")])
    acting = TopicRules(rules)
    with caplog.at_level(logging.INFO):
        acting.heard(Message("dt/device-1/light", b"{}"))
        acting.heard(EVENT)
        acting.close()
    assert [("events", "admit", EVENT.payload)] == rules.invoked
    assert "The topic rule events invoked admit" in caplog.text
    assert rules.closed
