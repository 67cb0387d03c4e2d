"""
What a report says, to people and to machines.
"""

import json
from dataclasses import replace

import pytest

from firstlight.errors import SessionError
from firstlight.verify import aws_advice, azure_advice
from firstlight.verify.checks import WANTED
from firstlight.verify.notebook import Notebook
from firstlight.verify.reasons import Reason, harmless
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


@pytest.mark.parametrize("advice", [aws_advice.LOOK_AT, azure_advice.LOOK_AT])
def test_a_failure_says_where_to_look(advice: dict[str, tuple[str, ...]]) -> None:
    notes = Notebook(lambda: 0.0, advice)
    failed = notes.failed(WANTED[0], MqttVersion.V5, 0.0, SessionError("no", reason=Reason.UNTRUSTED))

    assert "--ca-file" in failed.look_at[0]
    assert list(failed.look_at) == failed.to_json()["look_at"]


def test_what_needs_a_service_side_and_has_none_spoils_nothing() -> None:
    (impossible,) = Notebook(lambda: 0.0, azure_advice.LOOK_AT).not_run(
        WANTED[:1], MqttVersion.V311, "no service side", Reason.NO_SERVICE
    )

    assert report(ONLINE, impossible).passed
    assert not report(impossible).passed


_AZURE_ONLY = {
    Reason.REFUSED_CREDENTIALS,
    Reason.REGISTRATION,
    Reason.ID_SCOPE,
    Reason.COMMON_NAME,
    Reason.CASE,
    Reason.CHAIN,
    Reason.CA,
    Reason.THUMBPRINT,
    Reason.DISABLED,
    Reason.UNKNOWN_DEVICE,
    Reason.SERVICE,
    Reason.NO_SERVICE,
}
_AWS_ONLY = {Reason.CONNACK, Reason.NOT_AUTHORIZED}


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.SDK])
def test_every_reason_a_person_can_act_on_has_advice(reason: Reason) -> None:
    assert (reason not in _AZURE_ONLY) == bool(aws_advice.LOOK_AT.get(reason))
    assert (reason not in _AWS_ONLY) == bool(azure_advice.LOOK_AT.get(reason))


def test_a_servers_own_words_cannot_drive_a_terminal() -> None:
    assert "no·[31m entry·" == harmless("no\x1b[31m entry\n")
    assert 200 == len(harmless("a" * 65_535))
