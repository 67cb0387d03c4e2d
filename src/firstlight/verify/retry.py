"""
Connect again: back-off with full jitter, until it works or time is up.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from firstlight.errors import SessionError
from firstlight.loopback import is_loopback
from firstlight.verify.reasons import PASSING
from firstlight.verify.report import Attempt

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How fast one device may connect.  All in seconds.

    AWS IoT takes one CONNECT a second from a client id; `gap` keeps two of them apart.  After the
    n-th failure the wait is drawn evenly from 0 to `base` · 2^(n-1), at most `cap`.
    """

    gap: float = 1.1
    base: float = 1.0
    cap: float = 10.0

    @classmethod
    def towards(cls, endpoint: str) -> "Pace":
        """
        Return the pace for a cloud, or the quicker one for this machine's own.
        """
        return LAPTOP if is_loopback(endpoint) else CLOUD

    def wait(self, failures: int, draw: Callable[[], float]) -> float:
        """
        Return how long to wait after *failures* ≥ 1 in a row; *draw* returns a number from 0 to 1.
        """
        ceiling: float = min(self.cap, self.base * 2.0 ** min(failures - 1, 30))
        return draw() * ceiling


CLOUD = Pace()
LAPTOP = Pace(gap=0.0, base=0.1, cap=1.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """
    The clock (seconds, monotonic), how to sleep on it, and where jitter comes from.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    draw: Callable[[], float]


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    until: float,
    pace: Pace,
    timing: Timing,
    record: Callable[[Attempt], None],
    passing: Collection[str] = PASSING,
) -> T:
    """
    Return what *attempt* returns, trying at least once and again as long as *until* has not come.

    Every try is told to *record*.  Only what time can mend, *passing*, is tried again.

    Raises:
        SessionError: that of the last try, or of the first whose reason no retry can mend.
    """
    began, failures = timing.clock(), 0
    while True:
        try:
            result = await attempt()
        except SessionError as e:
            failures += 1
            record(Attempt(timing.clock() - began, e.reason, e.message))
            left = until - timing.clock()
            if e.reason not in passing or left <= 0:
                raise
            await timing.sleep(min(pace.wait(failures, timing.draw), left))
        else:
            record(Attempt(timing.clock() - began, "", "online"))
            return result
