"""
Who waits for a turn, and how long, by a clock that the test moves.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.ingest import Handler, Limits
from firstlight.interop import Interop
from firstlight.provision import Admission, Registration
from firstlight.telemetry import Source
from firstlight.tokens import Basic
from tests.factory import Factory, at_noon
from tests.stopped_clock import StoppedClock, settled


class _Push:
    """
    A request as aiohttp hands it over, with one certificate in its body.
    """

    method, path = "POST", "/interop"

    def __init__(self, pem: str) -> None:
        cert = base64.b64encode(pem.encode()).decode()
        self.body = json.dumps({"action": "provision", "certs": [{"ref": "r", "cert": cert}]}).encode()
        self.headers = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
        self.content_length = len(self.body)
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self.body


class _Slow:
    """
    A registry that registers when it is told to, and keeps how long it was given.
    """

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.seconds_left: list[float] = []

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self.seconds_left.append(deadline - asyncio.get_running_loop().time())
        await self.go.wait()
        return [Registration("slow.example")] * len(devices)


def _handler(registry: _Slow) -> Handler:
    interop = Interop(
        registry=registry,
        guard=Basic("me:secret"),
        admission=Admission(rule=NamingRule()),
        topic="iqs",
        now=at_noon,
    )
    source = Source(region="eu-west-1", function="ingest")
    return Handler(interop, deadline=20, source=source, write=lambda _: None, limits=Limits(pushes=1))


def test_a_push_waits_half_its_time_for_its_turn_and_no_longer(factory: Factory) -> None:
    """
    The other half is what it takes to be answered, and a caller told early can push again.
    """

    async def run() -> None:
        clock, registry = StoppedClock(), _Slow()
        handler, message = _handler(registry), _Push(factory.leaf().pem)
        first, second = [asyncio.create_task(_answer(handler, message)) for _ in range(2)]
        await settled()
        assert [20] == registry.seconds_left

        clock.now += 9.9
        await settled()
        assert not second.done()

        clock.now += 0.2
        await settled()
        assert second.done()
        assert (503, "5") == await second

        registry.go.set()
        assert (200, None) == await first

    asyncio.run(run())


def test_a_push_that_waited_is_answered_within_what_is_left(factory: Factory) -> None:
    """
    Its deadline counts from its arrival, not from its turn.
    """

    async def run() -> None:
        clock, registry = StoppedClock(), _Slow()
        handler, message = _handler(registry), _Push(factory.leaf().pem)
        pushes = [asyncio.create_task(_answer(handler, message)) for _ in range(2)]
        await settled()

        clock.now += 9
        registry.go.set()
        await settled()

        assert [True, True] == [push.done() for push in pushes]
        assert [(200, None)] * 2 == await asyncio.gather(*pushes)
        assert [20, 11] == registry.seconds_left

    asyncio.run(run())


async def _answer(handler: Handler, message: Any) -> tuple[int, str | None]:
    response = await handler(message)
    return response.status, response.headers.get("Retry-After")
