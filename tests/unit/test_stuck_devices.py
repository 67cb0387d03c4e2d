"""
Devices that connect again and again: when they are stuck, and when they are not.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from firstlight.errors import RegistryError, RequestError, SettingsError
from firstlight.first_connect.allow_list import AllowList, Outcome, Verdict
from firstlight.first_connect.environment import allow_list_from, stuck_devices_from
from firstlight.first_connect.event import Registered
from firstlight.first_connect.settings import FirstConnectSettings
from firstlight.first_connect.stuck import WINDOW, StuckDevices
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_operations import Call
from lambdas import admission, invocation, stuck
from tests.factory import Factory
from tests.first_connect_world import TABLE, World

BEGAN = 1_800_000_000


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def counter(world: World, limit: int = 3) -> StuckDevices:
    return StuckDevices(world.dynamodb(), world.iot(), TABLE, limit)


async def seen(world: World, event: Registered, *seconds: int) -> list[bool]:
    """
    Return what the counter says of connects so many *seconds* after the first.
    """
    deadline = asyncio.get_running_loop().time() + 20
    return [
        await counter(world).seen(
            replace(event, timestamp=(BEGAN + second) * 1000), now=BEGAN + second, deadline=deadline
        )
        for second in seconds
    ]


def test_the_third_connect_within_an_hour_is_told_once(factory: Factory) -> None:
    """
    And once more in the next hour: the alarm does not end while the device knocks.
    """

    async def test() -> None:
        world = World()
        event = world.connects(factory.leaf("device-1"), factory.ca)
        assert [False, False, True, False, False] == await seen(world, event, 0, 5, 10, 20, WINDOW - 1)
        assert [False, False, True] == await seen(world, event, WINDOW, WINDOW + 5, WINDOW + 10)

    run(test())


def test_a_device_provisioned_just_in_time_is_not_stuck(factory: Factory) -> None:
    """
    Its first connect and an impatient second; and one that came in with the third, whose event is late.
    """

    async def test() -> None:
        world = World()
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        assert [False, False] == await seen(world, event, 0, 1)
        world.certificates[leaf.fingerprint]["status"] = "ACTIVE"
        assert [False] == await seen(world, event, 2)

    run(test())


def test_an_event_delivered_twice_counts_once(factory: Factory) -> None:
    """
    Delivery is at least once; the timestamp tells one connect from another.
    """

    async def test() -> None:
        world = World()
        event = world.connects(factory.leaf("device-1"), factory.ca)
        assert [False] * 6 == await seen(world, event, 0, 0, 0, 5, 5, 0)
        assert [True] == await seen(world, event, 6)

    run(test())


def test_connects_of_different_devices_are_not_added_up(factory: Factory) -> None:
    """
    A thousand devices that connect twice are a good day.
    """

    async def test() -> None:
        world = World()
        events = [world.connects(factory.leaf(f"device-{n}"), factory.ca) for n in range(4)]
        assert [False] * 8 == [told for event in events for told in await seen(world, event, 0, 1)]

    run(test())


def test_two_connects_far_apart_are_not_stuck(factory: Factory) -> None:
    """
    What is counted begins anew when the hour is over.
    """

    async def test() -> None:
        world = World()
        event = world.connects(factory.leaf("device-1"), factory.ca)
        assert [False] * 6 == await seen(world, event, 0, 5, WINDOW + 1, WINDOW + 2, 2 * WINDOW + 9, 2 * WINDOW + 10)

    run(test())


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("InternalFailureException", 500)])
def test_a_stuck_device_is_told_even_when_aws_does_not_answer(factory: Factory, code: str, status: int) -> None:
    """
    Rather one alarm too many than the hour's only one lost.
    """

    async def test() -> None:
        world = World()
        event = world.connects(factory.leaf("device-1"), factory.ca)

        def busy(call: Call) -> Answer | None:
            return Answer(call.operation, status, code) if call.operation == "DescribeCertificate" else None

        world.before = busy
        deadline = asyncio.get_running_loop().time() + 0.05
        counting = counter(world, limit=1)
        assert await counting.seen(event, now=BEGAN, deadline=deadline)

    run(test())


def test_a_refusal_of_aws_is_an_error(factory: Factory) -> None:
    """
    A role that lacks a permission is heard of by the alarm on errors.
    """

    async def test() -> None:
        world = World(before=lambda call: Answer(call.operation, 400, "AccessDeniedException"))
        with pytest.raises(
            RegistryError, match="Failed using the table Announcements: AWS does not allow dynamodb:UpdateItem here"
        ):
            await seen(world, world.connects(factory.leaf("device-1"), factory.ca), 0)

    run(test())


@dataclass
class _Context:
    aws_request_id: str = "request-7"
    function_name: str = "the-function"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@pytest.fixture
def _own_loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with asyncio.Runner() as runner:
        monkeypatch.setattr(invocation, "runner", runner)
        yield


def payload(event: Registered, second: int = 0) -> dict[str, Any]:
    return {
        "certificateId": event.certificate_id,
        "caCertificateId": event.ca_id,
        "timestamp": event.timestamp + second,
        "certificateStatus": "PENDING_ACTIVATION",
    }


@pytest.mark.usefixtures("_own_loop")
def test_what_is_told_is_a_line_and_a_metric(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The line names the certificate and the remedy; a device that is not stuck leaves no line.
    """
    world = World()
    event = world.connects(factory.leaf("device-1"), factory.ca)
    counting = counter(world, limit=2)
    monkeypatch.setattr(stuck, "stuck_devices", lambda: counting)
    stuck.handler(payload(event), _Context())
    assert "" == capsys.readouterr().out
    stuck.handler(payload(event, 1), _Context())
    line, metrics = map(json.loads, capsys.readouterr().out.splitlines())
    assert ("stuck", event.certificate_id, 2) == (line["event"], line["certificate"], line["connects"])
    assert "firstlight doctor" in line["remedy"]
    assert (1, "eu-west-1", "the-function") == (metrics["Stuck"], metrics["region"], metrics["function"])
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert ("firstlight", [["region", "function"]]) == (directive["Namespace"], directive["Dimensions"])


@pytest.mark.usefixtures("_own_loop")
@pytest.mark.parametrize(
    ("outcome", "metric"),
    [
        (Outcome.ADMITTED, "Admitted"),
        (Outcome.LEFT_OUT, "LeftOut"),
        (Outcome.REFUSED, "RefusedAtFirstConnect"),
        (Outcome.KNOWN, ""),
    ],
)
def test_every_decision_is_a_line(
    factory: Factory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Outcome,
    metric: str,
) -> None:
    """
    With the certificate's id, why, and a metric of its own.
    """

    class Decided(AllowList):
        def __init__(self) -> None:
            """
            Needs nothing: it has decided.
            """

        async def admit(self, event: Registered, *, deadline: float) -> Verdict:
            return Verdict(outcome, "Because.", "device-1")

    event = World().connects(factory.leaf("device-1"), factory.ca)
    monkeypatch.setattr(admission, "allow_list", Decided)
    admission.handler(payload(event), _Context())
    line, *metrics = map(json.loads, capsys.readouterr().out.splitlines())
    assert ("first-connect", outcome, "Because.") == (line["event"], line["outcome"], line["message"])
    assert ([1] if metric else []) == [m[metric] for m in metrics]


@pytest.mark.usefixtures("_own_loop")
@pytest.mark.parametrize("function", [stuck, admission])
def test_a_failure_is_a_line_and_fails_the_function(
    function: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Lambda then tries again, and the dead-letter queue has the event in the end; the line holds no payload.
    """
    with pytest.raises(RequestError):
        function.handler({"certificateId": "secret"}, _Context())
    line = json.loads(capsys.readouterr().out)
    assert ("failure", "RequestError") == (line["event"], line["type"])
    assert "secret" not in json.dumps(line)


@pytest.mark.usefixtures("_own_loop")
def test_the_functions_are_made_of_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Once per process, from what the stack writes.
    """
    settings = FirstConnectSettings(
        announcements_table="A", template_name="T", reserved_prefix="P_", connects_table="C", stuck_after="7"
    )
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(stuck, "stuck_devices", cache(stuck.stuck_devices.__wrapped__))
    monkeypatch.setattr(admission, "allow_list", cache(admission.allow_list.__wrapped__))
    assert 7 == stuck.stuck_devices().limit
    assert isinstance(admission.allow_list(), AllowList)
    assert settings == FirstConnectSettings.from_env(settings.to_env())


@pytest.mark.parametrize(
    "env", [{}, {"FIRSTLIGHT_CONNECTS_TABLE": "C", "FIRSTLIGHT_STUCK_AFTER": "1"}, {"FIRSTLIGHT_STUCK_AFTER": "x"}]
)
def test_an_environment_that_lacks_something_is_refused(env: dict[str, str]) -> None:
    """
    In one sentence that names it.
    """
    with pytest.raises(SettingsError, match="FIRSTLIGHT_"):
        stuck_devices_from(env)
    with pytest.raises(SettingsError, match="FIRSTLIGHT_"):
        allow_list_from(env, now=lambda: None)  # type: ignore[arg-type, return-value]
