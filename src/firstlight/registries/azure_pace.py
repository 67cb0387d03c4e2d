"""
How much an IoT Hub is asked at once, and when: as much as it takes without turning calls away.

A hub counts registry operations a minute, and may count a bulk call as one or as many as it has
devices; it says 429, mostly without Retry-After, and "wait 10 seconds".  So after a 429 everybody
waits, fewer calls run at once and each carries fewer devices, until the hub says yes again.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from firstlight.registries.azure_budget import Budget
from firstlight.registries.pacing import Window

# Microsoft's "Bulk registry operations".
MAX_BATCH = 100
_MAX_IN_FLIGHT = 64
_LONGEST_STREAK = 3
# Seconds: no Retry-After keeps this process away from its hub for longer.
_LONGEST_WAIT = 60.0
# An S1 unit that counts devices has 16 to spare after ten seconds; a first step to 12 fits.
_SHRINK = 8
# Seconds before a deadline, after which no call is worth beginning.
_LAST_CALL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How long to wait for what; all but `failures` in seconds.
    """

    # For one answer.
    attempt: float = 10.0
    # Before the n-th repetition of what failed, from 0: anything up to base * 2**n, at most longest.
    base: float = 0.1
    longest: float = 2.0
    # How often one device may meet a failure (5xx, no answer).  Throttling is none.
    failures: int = 5
    # After a 429 that does not say how long; doubled while nothing else comes.
    throttled: float = 10.0

    def pause(self, repetition: int) -> float:
        """
        Return the seconds to wait before the *repetition*-th repetition.
        """
        return random.uniform(0, min(self.longest, self.base * 2**repetition))  # noqa: S311 -- jitter, not a secret


class Pace:
    """
    What all pushes of a process share of one hub.
    """

    def __init__(self, patience: Patience, budget: Budget | None = None) -> None:
        self._window = Window(_MAX_IN_FLIGHT)
        self._budget = budget
        self._patience = patience
        self._resume_at = self._cut_at = float("-inf")
        self._streak = 0
        self._size = MAX_BATCH

    def size(self, now: float) -> int:
        """
        Return how many devices a bulk call may carry now.
        """
        return min(self._size, self._budget.portion(now)) if self._budget else self._size

    async def affords(self, operations: int, deadline: float) -> bool:
        """
        Wait until the hub's quota, if it is known, has room for *operations*; return whether it has before *deadline*.
        """
        if self._budget is None:
            return True
        now = asyncio.get_running_loop().time()
        # A call that is sent in the last moment has no answer before the deadline.
        last = deadline - min(_LAST_CALL, max(0.0, deadline - now) / 10)
        wait = self._budget.wait_for(operations, now=now, deadline=last)
        if wait:
            await asyncio.sleep(wait)
        return wait is not None

    @property
    def is_short(self) -> bool:
        """
        Whether the hub has lately turned calls away.
        """
        return self._size < MAX_BATCH

    def resumes_in(self, now: float) -> float:
        """
        Return the seconds for which the hub asked to be left alone; 0 if it did not.
        """
        return max(0.0, self._resume_at - now)

    @asynccontextmanager
    async def place(self, deadline: float) -> AsyncIterator[bool]:
        """
        Wait for a place among the calls in flight; yield whether there was one before *deadline*.
        """
        clock = asyncio.get_running_loop().time
        if not self._window.entered_at_once():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._window.enter()
            except TimeoutError:
                yield False
                return
        entered = clock()
        try:
            yield True
        finally:
            self._window.leave(entered=entered, now=clock(), throttled=self._cut_at > entered)

    def throttled(self, *, sent: float, now: float, retry_after: float | None) -> None:
        """
        The hub turned away what was *sent*.
        """
        self._window.throttled(sent=sent, now=now)
        if retry_after is not None:
            wait = min(max(retry_after, self._patience.base), _LONGEST_WAIT)
            self._resume_at = max(self._resume_at, now + wait)
        if sent <= self._cut_at:
            return  # one reason turned away all that was in flight
        self._cut_at = now
        if self._budget:
            self._budget.overdrawn(now)
        if retry_after is None:
            self._resume_at = now + self._patience.throttled * 2 ** min(self._streak, _LONGEST_STREAK)
        self._streak += 1
        self._size = max(1, self._size // _SHRINK)

    def taken(self, devices: int) -> None:
        """
        The hub took a call with *devices*.
        """
        self._streak = 0
        if devices >= self._size:
            self._size = min(MAX_BATCH, self._size * 2)
