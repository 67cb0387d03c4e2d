"""
How many devices may be in flight at once: as many as the cloud takes without turning calls away.
"""

import asyncio
from collections import deque
from contextlib import suppress

# At first.  More than AWS IoT's smallest quotas (10 and 15 a second) let through at once, so that they
# show; few, since many processes may begin at the same time, as Lambdas do.
_START = 20
# Until first throttled the window grows by this for each undisturbed device, so within a round to all
# of the usual limit: a quota that let 20 through at once lets 256 through before any deadline.
_GROWTH = 12.0
# Of the last device in the moving average of how long one takes.
_WEIGHT = 0.2


class Window:
    """
    A first-come-first-served semaphore whose size follows the cloud: additive increase,
    multiplicative decrease, as TCP does it.

    All pushes of a process share one.  Each push asks for one place at a time, so concurrent pushes
    take turns.  With few devices in flight while throttled, few are half made when a deadline comes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = float(limit)
        self._size = float(min(_START, limit))
        self._threshold = self._limit
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        # When somebody last had to wait, and when the size was last cut.
        self._short_at = self._cut_at = float("-inf")
        self._typical = 0.0

    @property
    def size(self) -> int:
        """
        How many devices may be in flight now.
        """
        return int(self._size)

    def last_entry(self, *, now: float, deadline: float) -> float:
        """
        Return until when to let devices in: whoever enters should have the time to end before *deadline*.
        """
        return deadline - min(2 * self._typical, max(0.0, deadline - now) / 2)

    def entered_at_once(self) -> bool:
        """
        Take a place if one is free and nobody waits for it.
        """
        if self._waiting or self._in_flight >= self.size:
            return False
        self._in_flight += 1
        return True

    async def enter(self) -> None:
        """
        Wait for a place.
        """
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        self._short_at = loop.time()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                with suppress(ValueError):  # a wake may have dropped it already
                    self._waiting.remove(place)
            else:
                self._in_flight -= 1
                self._wake()
            raise

    def leave(self, *, entered: float, now: float, throttled: bool) -> None:
        """
        Give the place back; an undisturbed device during whose time somebody waited widens the window.
        """
        self._in_flight -= 1
        self._typical += _WEIGHT * (now - entered - self._typical)
        if entered <= self._short_at and not throttled:
            step = _GROWTH if self._size < self._threshold else 1 / self._size
            self._size = min(self._limit, self._size + step)
        self._wake()

    def vacate(self) -> None:
        """
        Give back a place that was not made use of.
        """
        self._in_flight -= 1
        self._wake()

    def throttled(self, *, sent: float, now: float) -> None:
        """
        Halve the window, once for all the calls that were *sent* before it was last halved.
        """
        if sent > self._cut_at:
            self._cut_at = now
            self._size = max(1.0, min(self._size, self._in_flight) / 2)
            self._threshold = self._size

    def _wake(self) -> None:
        while self._waiting and self._in_flight < self.size:
            place = self._waiting.popleft()
            if not place.done():
                self._in_flight += 1
                place.set_result(None)
