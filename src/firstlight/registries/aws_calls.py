"""
Calls to AWS IoT, each repeated until it has an answer or the device's time is over.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

from firstlight.registries import aws_errors
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_credentials import CredentialCache
from firstlight.registries.aws_operations import Call
from firstlight.registries.buckets import Bucket, Buckets
from firstlight.registries.pacing import Window
from firstlight.registries.sigv4 import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How long to wait for what; all but `failures` in seconds.
    """

    # For one answer.
    attempt: float = 5.0
    # Before the n-th repetition of what failed, from 0: anything up to base * 2**n, at most longest (full jitter).
    base: float = 0.1
    longest: float = 2.0
    # How often one call may fail (5xx, no answer) before its device does.  Throttling is no
    # failure: it is repeated until the deadline, when the operation's bucket has a token.
    failures: int = 6

    def pause(self, repetition: int) -> float:
        """
        Return the seconds to wait before the *repetition*-th repetition of a call.
        """
        return random.uniform(0, min(self.longest, self.base * 2**repetition))  # noqa: S311 -- jitter, not a secret


class Transport(Protocol):
    """
    What carries one attempt.
    """

    async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer: ...


@dataclass(slots=True)
class Turn:
    """
    One device's time (the running loop's clock), how many of its calls were turned away, and for how many
    seconds calls were held back; `hopeless`: one would have been for longer than there was time.
    """

    deadline: float
    throttled: int = 0
    waited: float = 0.0
    hopeless: bool = False


class AwsCalls:
    """
    Repeats what was throttled, failed or lost.  Every call here may be repeated without harm.
    """

    def __init__(
        self,
        transport: Transport,
        credentials: CredentialCache,
        patience: Patience,
        window: Window | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        """
        *window* is told when AWS turns a call away; *buckets* hold calls back before it does.
        """
        self._transport = transport
        self._credentials = credentials
        self._patience = patience
        self._buckets = buckets
        self._window = window

    async def __call__(self, call: Call, turn: Turn) -> Answer:
        """
        Return the first answer that is AWS's last word: success or refusal.

        Raises:
            ThrottledError: AWS turned the call away until the deadline, or would have.
            RegistryError: AWS failed, could not be reached, or did not answer.
        """
        loop = asyncio.get_running_loop()
        bucket = None if self._buckets is None else self._buckets[call.operation]
        answer = turned_away = Answer.timed_out(call.operation)
        failures = repetition = 0
        while loop.time() < turn.deadline:
            credentials = await self._credentials.current(until=turn.deadline)
            if not (bucket is None or bucket.taken_at_once(loop.time()) or await _held(bucket, turn, turned_away)):
                turn.hopeless = True
                raise aws_errors.unfinished(turned_away) if turned_away.throttled else aws_errors.held_back(call)
            sent = loop.time()
            until = min(turn.deadline, sent + self._patience.attempt)
            answer = await self._transport.send(call, credentials, until=until)
            if answer.throttled:
                turned_away = answer
                self._slow_down(bucket, turn, sent)
                if bucket is not None:
                    # The bucket says when.
                    continue
            else:
                if bucket is not None and answer.status:
                    # Whatever else AWS said of the call, it counted it.
                    bucket.accepted(loop.time())
                if answer.final:
                    return answer
                failures += 1
            if failures >= self._patience.failures:
                raise aws_errors.unfinished(answer)
            if answer.expired:
                await self._credentials.renew(until=turn.deadline)
            elif not (answer.stale and failures == 1):
                await asyncio.sleep(min(self._patience.pause(repetition), turn.deadline - loop.time()))
                repetition += 1
        # Whoever was throttled, and then cut short by the deadline, was throttled.
        raise aws_errors.unfinished(turned_away if turned_away.throttled else answer)

    def _slow_down(self, bucket: Bucket | None, turn: Turn, sent: float) -> None:
        now = asyncio.get_running_loop().time()
        turn.throttled += 1
        if bucket is not None:
            bucket.turned_away(sent=sent, now=now)
        if self._window is not None:
            self._window.throttled(sent=sent, now=now)


async def _held(bucket: Bucket, turn: Turn, turned_away: Answer) -> bool:
    """
    Wait for *bucket* to let the call through; return False if it will not before the deadline.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        return await bucket.take(until=turn.deadline, again=turned_away.throttled)
    finally:
        turn.waited += clock() - begun
