"""
What a report says, to people and to machines.
"""

import json
from dataclasses import replace

import pytest

from firstlight.verify.reasons import Reason, harmless, look_at
from firstlight.verify.report import Attempt, Check, MqttVersion, Outcome, Report

ONLINE = Check(
    name="online",
    version=MqttVersion.V5,
    proves="Comes online",
    outcome=Outcome.PASSED,
    detail="on attempt 2",
    seconds=1.23456,
    attempts=(Attempt(0.12345, Reason.CLOSED, "closed"), Attempt(1.2, "", "online")),
)


def report(*checks: Check) -> Report:
    return Report(
        endpoint="devices.example.net", port=8883, client_id="dev-1", certificate="ab" * 32, checks=checks, seconds=2.5
    )


def test_passed_means_every_check() -> None:
    assert report(ONLINE, ONLINE).passed


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NOT_RUN])
def test_one_check_that_did_not_pass_spoils_it(outcome: Outcome) -> None:
    """
    A check that was not run proves nothing, so it does not pass.
    """
    assert not report(ONLINE, replace(ONLINE, outcome=outcome)).passed


def test_no_checks_are_no_proof() -> None:
    assert not report().passed


def test_machines_get_all_of_it() -> None:
    assert {
        "endpoint": "devices.example.net",
        "port": 8883,
        "client_id": "dev-1",
        "certificate": "ab" * 32,
        "passed": True,
        "seconds": 2.5,
        "checks": [
            {
                "name": "online",
                "mqtt": "5",
                "proves": "Comes online",
                "outcome": "passed",
                "detail": "on attempt 2",
                "reason": "",
                "look_at": [],
                "seconds": 1.235,
                "attempts": [
                    {"at": 0.123, "reason": "closed-before-connack", "detail": "closed"},
                    {"at": 1.2, "reason": "", "detail": "online"},
                ],
            }
        ],
    } == json.loads(json.dumps(report(ONLINE).to_json()))


def test_a_failure_says_where_to_look() -> None:
    failed = replace(ONLINE, outcome=Outcome.FAILED, reason=Reason.UNTRUSTED)

    assert "--ca-file" in failed.look_at[0]
    assert list(failed.look_at) == failed.to_json()["look_at"]


def test_what_passed_sends_nobody_looking() -> None:
    assert () == replace(ONLINE, reason=Reason.CLOSED).look_at


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.SDK])
def test_every_reason_a_person_can_act_on_has_advice(reason: Reason) -> None:
    assert look_at(reason)


def test_a_servers_own_words_cannot_drive_a_terminal() -> None:
    assert "no·[31m entry·" == harmless("no\x1b[31m entry\n")
    assert 200 == len(harmless("a" * 65_535))
