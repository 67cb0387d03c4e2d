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
from firstlight.registries.pacing import Window
from firstlight.registries.sigv4 import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How long to wait for what; all but `failures` in seconds.
    """

    # For one answer.
    attempt: float = 5.0
    # Before the n-th repetition, from 0: anything up to base * 2**n, at most longest (full jitter).
    base: float = 0.1
    longest: float = 2.0
    # How often one call may fail (5xx, no answer) before its device does.  Throttling is no
    # failure: it is repeated until the deadline.
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
    One device's time (the running loop's clock) and how many of its calls were turned away.
    """

    deadline: float
    throttled: int = 0


class AwsCalls:
    """
    Repeats what was throttled, failed or lost.  Every call here may be repeated without harm.
    """

    def __init__(
        self, transport: Transport, credentials: CredentialCache, patience: Patience, window: Window | None = None
    ) -> None:
        """
        *window* is told when AWS turns a call away.
        """
        self._transport = transport
        self._credentials = credentials
        self._patience = patience
        self._window = window

    async def __call__(self, call: Call, turn: Turn) -> Answer:
        """
        Return the first answer that is AWS's last word: success or refusal.

        Raises:
            ThrottledError: AWS turned the call away until the deadline.
            RegistryError: AWS failed, could not be reached, or did not answer.
        """
        loop = asyncio.get_running_loop()
        answer = turned_away = Answer.timed_out(call.operation)
        failures = repetition = 0
        while (sent := loop.time()) < turn.deadline:
            credentials = await self._credentials.current(until=turn.deadline)
            until = min(turn.deadline, sent + self._patience.attempt)
            answer = await self._transport.send(call, credentials, until=until)
            if answer.final:
                return answer
            if answer.throttled:
                turned_away = answer
                self._slow_down(turn, sent)
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

    def _slow_down(self, turn: Turn, sent: float) -> None:
        turn.throttled += 1
        if self._window is not None:
            self._window.throttled(sent=sent, now=asyncio.get_running_loop().time())
