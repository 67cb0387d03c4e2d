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
from firstlight.registries.buckets import Buckets
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
        answer = turned_away = Answer.timed_out(call.operation)
        failures = repetition = 0
        while loop.time() < turn.deadline:
            credentials = await self._credentials.current(until=turn.deadline)
            if not await self._let_through(call, turn, again=turned_away.throttled):
                turn.hopeless = True
                raise aws_errors.unfinished(turned_away) if turned_away.throttled else aws_errors.held_back(call)
            sent = loop.time()
            until = min(turn.deadline, sent + self._patience.attempt)
            answer = await self._transport.send(call, credentials, until=until)
            self._learn(answer, turn, sent)
            if answer.final:
                return answer
            if answer.throttled:
                turned_away = answer
                if self._buckets is not None:
                    # The bucket says when.
                    continue
            else:
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

    async def _let_through(self, call: Call, turn: Turn, *, again: bool) -> bool:
        """
        Wait for the operation's bucket; return False if it will not let the call through before the deadline.
        """
        if self._buckets is None:
            return True
        clock, bucket = asyncio.get_running_loop().time, self._buckets[call.operation]
        begun = clock()
        if bucket.taken_at_once(begun):
            return True
        try:
            return await bucket.take(until=turn.deadline, again=again)
        finally:
            turn.waited += clock() - begun

    def _learn(self, answer: Answer, turn: Turn, sent: float) -> None:
        now = asyncio.get_running_loop().time()
        if not answer.throttled:
            # Whatever else AWS said of the call, it counted it.
            if self._buckets is not None and answer.status:
                self._buckets[answer.operation].accepted(now)
            return
        turn.throttled += 1
        if self._buckets is not None:
            self._buckets[answer.operation].turned_away(sent=sent, now=now)
        if self._window is not None:
            self._window.throttled(sent=sent, now=now)
