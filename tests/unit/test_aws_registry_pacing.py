"""
How many devices are in flight at once.
"""

import asyncio
import json

import pytest

from firstlight.identity import DeviceIdentity
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.aws_iot import AwsIotRegistry, Keys
from firstlight.registries.aws_operations import Call, Operation
from firstlight.registries.pacing import Window
from firstlight.registries.sigv4 import Credentials
from tests.factory import Factory
from tests.stopped_clock import StoppedClock


def _fill(window: Window) -> int:
    taken = 0
    while window.entered_at_once():
        taken += 1
    return taken


def test_the_window_never_exceeds_its_limit() -> None:
    """
    However well it goes.
    """

    async def run() -> None:
        window = Window(60)
        for _ in range(20):
            taken = _fill(window)
            waiting = asyncio.create_task(window.enter())
            await asyncio.sleep(0)
            for _ in range(taken):
                window.leave(entered=0, now=1, throttled=False)
            await waiting
            window.leave(entered=0, now=1, throttled=False)
            assert taken <= 60
        assert 60 == window.size

    asyncio.run(run())


def test_the_window_grows_only_when_somebody_waits() -> None:
    """
    What was never tried proves nothing.
    """
    window = Window(256)
    before = window.size
    for _ in range(500):
        assert window.entered_at_once()
        window.leave(entered=0, now=1, throttled=False)

    assert before == window.size


def test_calls_sent_before_the_window_was_halved_do_not_halve_it_again() -> None:
    """
    One shortage is one reason.
    """
    window = Window(256)
    taken = _fill(window)

    for _ in range(taken):
        window.throttled(sent=1.0, now=2.0)
    assert taken // 2 == window.size

    window.throttled(sent=2.5, now=3.0)
    assert taken // 4 == window.size


def test_the_window_keeps_one_place_at_least() -> None:
    """
    Or nothing would ever be registered again.
    """
    window = Window(256)
    _fill(window)
    for now in range(1, 40):
        window.throttled(sent=now, now=now + 0.5)

    assert 1 == window.size


def test_nobody_enters_who_would_hardly_end_before_the_deadline() -> None:
    """
    Twice as long as a device takes, as far as is known; half of a short time is used in any case.
    """
    window = Window(256)
    assert 100 == window.last_entry(now=0, deadline=100)

    for _ in range(50):
        assert window.entered_at_once()
        window.leave(entered=10, now=13, throttled=False)

    assert 94 == round(window.last_entry(now=0, deadline=100))
    assert 98 == window.last_entry(now=96, deadline=100)
    assert 100 == window.last_entry(now=101, deadline=100)


def test_whoever_waits_first_enters_first() -> None:
    """
    And whoever comes later does not overtake.
    """

    async def run() -> None:
        window = Window(1)
        entered: list[int] = []
        assert window.entered_at_once()

        async def come(number: int) -> None:
            await window.enter()
            entered.append(number)

        waiting = [asyncio.create_task(come(n)) for n in range(4)]
        await asyncio.sleep(0)
        assert not window.entered_at_once()
        for _ in waiting:
            window.leave(entered=0, now=1, throttled=True)
            assert not window.entered_at_once()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert [0, 1, 2, 3] == entered

    asyncio.run(run())


def test_whoever_gives_up_waiting_takes_no_place() -> None:
    """
    Neither while waiting nor in the very moment a place is free.
    """

    async def run() -> None:
        window = Window(1)
        assert window.entered_at_once()
        early, late, patient = (asyncio.create_task(window.enter()) for _ in range(3))
        await asyncio.sleep(0)

        early.cancel()
        await asyncio.sleep(0)
        window.leave(entered=0, now=1, throttled=True)
        late.cancel()
        await patient

        assert not window.entered_at_once()
        window.leave(entered=0, now=1, throttled=True)
        assert window.entered_at_once()

    asyncio.run(run())


def test_a_push_begins_no_device_that_would_hardly_end_before_the_deadline(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One after the other and a second each: in ten and a half seconds nine begin, with two to spare, and all nine end.
    """
    leaf = factory.leaf()
    devices = [DeviceIdentity(f"t{n}", "1", f"{n:064x}", leaf.pem, "") for n in range(20)]
    begun = 0

    async def run() -> list[str]:
        clock = StoppedClock()

        async def send(http: AwsHttp, call: Call, credentials: Credentials, *, until: float) -> Answer:
            nonlocal begun
            if call.operation is Operation.CREATE_THING:
                begun += 1
                clock.now += 1
            document = {"policyArn": "arn:aws:iot:eu-west-1:123456789012:policy/P", "endpointAddress": "ats.example"}
            return Answer(call.operation, 200, body=json.dumps(document).encode())

        monkeypatch.setattr(AwsHttp, "send", send)
        registry = AwsIotRegistry(
            region="eu-west-1", policy_name="P", credentials=lambda: Keys("test", "test"), max_in_flight=1
        )
        await registry.register(devices * 2, deadline=clock.now + 1000)
        answers = await registry.register(devices, deadline=clock.now + 10.5)
        return [a.error.code if a.error else "ok" for a in answers]

    assert ["ok"] * 9 + ["not-attempted"] * 11 == asyncio.run(run())
    assert 40 + 9 == begun
