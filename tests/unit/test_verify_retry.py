"""
Connecting again, on a clock of the tests' own.
"""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Attempt
from firstlight.verify.retry import CLOUD, LAPTOP, Pace, Timing, persist


class Clock:
    """
    Time that passes only while somebody sleeps, or takes it.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def timing(self, draw: Callable[[], float] = lambda: 1.0) -> Timing:
        return Timing(lambda: self.now, self.sleep, draw)


def failing(*reasons: Reason) -> Iterator[SessionError | None]:
    yield from (SessionError(f"said {reason}", reason=reason) for reason in reasons)
    yield None


def run(
    clock: Clock, outcomes: Iterator[SessionError | None], *, seconds: float = 60, took: float = 0.5
) -> list[Attempt]:
    made: list[Attempt] = []

    async def attempt() -> str:
        clock.now += took
        if (error := next(outcomes)) is not None:
            raise error
        return "session"

    result = asyncio.run(
        persist(attempt, until=clock.now + seconds, pace=CLOUD, timing=clock.timing(), record=made.append)
    )
    assert "session" == result
    return made


def test_the_first_closed_connect_is_tried_again() -> None:
    """
    Just-in-time provisioning closes the first connection; the second comes online, and both are on record.
    """
    made = run(Clock(), failing(Reason.CLOSED))

    assert [Reason.CLOSED, ""] == [a.reason for a in made]
    assert [0.5, 2.0] == [a.at for a in made]


@pytest.mark.parametrize("reason", [Reason.NAME, Reason.PORT, Reason.UNTRUSTED, Reason.TLS, Reason.SDK])
def test_what_no_retry_mends_is_said_at_once(reason: Reason) -> None:
    clock = Clock()
    with pytest.raises(SessionError) as refused:
        run(clock, failing(reason))

    assert reason == refused.value.reason
    assert [] == clock.slept


def test_it_gives_up_when_time_is_up() -> None:
    """
    The last attempt is made when the time is up, not after it, and its error is the one that counts.
    """
    clock = Clock()
    with pytest.raises(SessionError, match="said closed-before-connack"):
        run(clock, failing(*[Reason.CLOSED] * 100), seconds=20, took=0)

    assert 120.0 == clock.now
    assert [1.0, 2.0, 4.0, 8.0, 5.0] == clock.slept


def test_it_tries_at_least_once() -> None:
    assert [""] == [a.reason for a in run(Clock(), failing(), seconds=-5)]


def test_the_wait_doubles_up_to_its_cap_under_full_jitter() -> None:
    pace = Pace(base=1.0, cap=10.0)

    assert [1, 2, 4, 8, 10, 10] == [pace.wait(n, lambda: 1.0) for n in range(1, 7)]
    assert [0.5, 1, 2, 4, 5, 5] == [pace.wait(n, lambda: 0.5) for n in range(1, 7)]
    assert 0.0 == pace.wait(3, lambda: 0.0)
    assert 10.0 == pace.wait(100_000, lambda: 1.0)


@pytest.mark.parametrize(
    ("endpoint", "pace"),
    [
        ("localhost", LAPTOP),
        ("127.0.0.1", LAPTOP),
        ("abc-ats.iot.eu-west-1.amazonaws.com", CLOUD),
        ("localhost.example.net", CLOUD),
    ],
)
def test_only_this_machine_is_hurried(endpoint: str, pace: Pace) -> None:
    """
    AWS IoT takes one CONNECT a second from a client id.
    """
    assert pace == Pace.towards(endpoint)
    assert CLOUD.gap > 1
