"""
A token bucket per operation, which learns from the cloud how many calls a second it takes.

A call waits here instead of being turned away there.  While nothing is turned away the rate doubles every
second.  A call that is turned away sets it to what was really taken lately; from there it climbs slowly at
first and ever faster, as TCP's CUBIC does, so that the limit is touched now and then and not hammered.
Processes that share a quota find their shares that way, without knowing of one another.
"""

import asyncio
import math
import random
from collections import deque
from contextlib import suppress

from firstlight.registries.aws_operations import ServiceOperation
from firstlight.registries.meter import Meter
from firstlight.registries.quotas import DEFAULTS, Pacing

_DOUBLING = math.log(2)
# Seconds without a call turned away until the rate doubles every second again.
_CALM = 10.0
# Of what was taken lately; a little more, or two processes would give away more and more of their quota.
_MARGIN = 1.02
# Whoever is turned away goes at least this much slower, and at most this much: the meter may be mistaken.
_LESS, _LEAST = 0.97, 0.25
# What AWS's own bucket had saved up says nothing about its quota.  So the next measurement begins when a call is
# turned away, for then that bucket is empty, and takes the seconds of so many calls, but no less than so long.
_SAMPLE, _SHORTEST = 10, 0.25
# Calls a second.  Slower than any quota, and faster than any cloud.
_SLOWEST, _FASTEST = 0.5, 1e6
# Seconds' worth of calls that may be saved up.
_SAVED = 0.1
# Tokens are seconds times rates, and a sum of those is hardly ever whole.
_WHOLE = 1 - 1e-6
# A rate that is not made use of proves nothing, and does not grow.
_USED = 0.5


class Bucket:
    """
    The calls of one operation.  Not *engaged*, it lets everything through and only counts.

    *start* and *highest* are in calls a second.
    """

    def __init__(self, *, start: float, highest: float = _FASTEST, engaged: bool = False) -> None:
        self._start = self._rate = start
        self._slowest = min(start, _SLOWEST)
        self._highest = highest
        self._engaged = engaged
        self._meter: Meter | None = None
        # Whether the rate is one that AWS has shown, and not a guess.
        self._learned = False
        self._tokens = 1.0
        self._filled_at = self._turned_away_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def engaged(self) -> bool:
        """
        Whether calls are held back at all.
        """
        return self._engaged

    @property
    def rate(self) -> float:
        """
        How many calls a second are let through now.
        """
        return self._rate if self._engaged else _FASTEST

    def taken_at_once(self, now: float) -> bool:
        """
        Take a token if there is one and nobody waits for it.
        """
        if not self._engaged:
            return True
        self._fill(now)
        if self._waiting or self._tokens < _WHOLE:
            return False
        self._tokens -= 1
        return True

    async def take(self, *, until: float, again: bool = False) -> bool:
        """
        Wait for a token; return False, at once, if there will be none *until* then (the running loop's clock).

        Who was turned away comes *again*, before all others.
        """
        loop = asyncio.get_running_loop()
        if loop.time() + self._wait(1 if again else len(self._waiting) + 1, loop.time()) > until:
            return False
        token: asyncio.Future[None] = loop.create_future()
        (self._waiting.appendleft if again else self._waiting.append)(token)
        if self._timer is None:
            self._release()
        try:
            async with asyncio.timeout_at(until):
                await token
        except TimeoutError:
            self._give_back(token)
            return False
        except asyncio.CancelledError:
            self._give_back(token)
            raise
        return True

    def accepted(self, now: float) -> None:
        """
        The cloud took a call, whatever it said of it.
        """
        meter = self._meter
        if meter is None:
            meter = self._meter = Meter(now)
        meter.count(now)

    def turned_away(self, *, sent: float, now: float) -> None:
        """
        The cloud turned away a call; those *sent* before it last did had the same reason.
        """
        if sent <= self._turned_away_at:
            return
        self._fill(now)
        taken = self._metered(now).rate(now)
        if not self._engaged:
            self._engaged = True
            self._rate = min(max(self._start, taken), self._highest)
        elif now - self._turned_away_at < max(_SHORTEST, _SAMPLE / self._rate):
            return
        else:
            lower = max(taken * _MARGIN, self._rate * _LEAST)
            self._rate = max(self._slowest, min(lower, self._rate * _LESS))
            self._learned = True
        self._meter = Meter(now)
        self._turned_away_at = now
        # Others may have been turned away at this moment as well.
        self._tokens = min(self._tokens, 0.0) - random.random()  # noqa: S311 -- jitter, not a secret

    def _metered(self, now: float) -> Meter:
        if self._meter is None:
            self._meter = Meter(now)
        return self._meter

    def _fill(self, now: float) -> None:
        seconds = now - self._filled_at
        if seconds <= 0:
            return
        self._filled_at = now
        if self._waiting or self._metered(now).rate(now) > self._rate * _USED:
            self._rate = min(self._rate * math.exp(self._growth(now) * min(seconds, 1.0)), self._highest, _FASTEST)
        elif now - self._turned_away_at > _CALM:
            # Whatever was short then, nobody has asked for much since.
            self._rate = max(self._rate, self._start)
        self._tokens = min(self._tokens + seconds * self._rate, max(1.0, self._rate * _SAVED))

    def _growth(self, now: float) -> float:
        if not self._learned:
            return _DOUBLING
        return _DOUBLING * min(1.0, (now - self._turned_away_at) / _CALM) ** 3

    def _wait(self, position: int, now: float) -> float:
        """
        Return the seconds until the *position*-th of those waiting has its token, if all goes on as now.
        """
        self._fill(now)
        missing = position - self._tokens
        if missing <= 0:
            return 0.0
        growth = self._growth(now) if self._rate < self._highest else 0.0
        return math.log1p(missing * growth / self._rate) / growth if growth else missing / self._rate

    def _release(self) -> None:
        loop = asyncio.get_running_loop()
        self._fill(loop.time())
        while self._waiting and self._tokens >= _WHOLE:
            token = self._waiting.popleft()
            if not token.done():
                self._tokens -= 1
                token.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later((1 - self._tokens) / self._rate, self._release) if self._waiting else None

    def _give_back(self, token: asyncio.Future[None]) -> None:
        if token.cancelled():
            with suppress(ValueError):  # it may have been dropped already
                self._waiting.remove(token)
        else:
            self._tokens += 1
            self._release()


class Buckets:
    """
    One bucket for each operation, made when it is first asked for.
    """

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._buckets: dict[ServiceOperation, Bucket] = {}

    def __getitem__(self, operation: ServiceOperation) -> Bucket:
        bucket = self._buckets.get(operation)
        if bucket is None:
            bucket = self._buckets[operation] = self._made(operation)
        return bucket

    def _made(self, operation: ServiceOperation) -> Bucket:
        given = self._pacing.quotas.get(operation)
        if given is not None:
            return Bucket(start=given, highest=given, engaged=True)
        return Bucket(start=DEFAULTS[operation], engaged=self._pacing.eager)
