"""
Works a queue of unfinished devices off, batch after batch.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from firstlight import telemetry
from firstlight.backlog import Message, Source, work
from firstlight.errors import FirstlightError, UnfinishedError
from firstlight.provision import Admission, Registry

# Seconds for which an empty queue is listened to, and the most between two tries when it does not answer.
_LISTENING = 20.0
_LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class Tally:
    """
    Messages that are done, and those that went back.
    """

    done: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """
    Takes batches from *source* and provisions each within *deadline* seconds.

    *write* is given the log lines of a batch, all at once, as the Lambda's are.
    """

    source: Source
    registry: Registry
    admission: Admission
    now: Callable[[], datetime]
    deadline: float
    place: telemetry.Source
    write: Callable[[str], None]
    listening: float = _LISTENING
    # Seconds before the first try again when the queue does not answer, doubled each time.
    pause: float = 1.0

    async def run(self, stop: asyncio.Event, *, hands: int, until_empty: bool = False) -> Tally:
        """
        Work with *hands* batches at once until *stop* is set, or until the queue is empty; finish what was begun.

        Raises:
            FirstlightError: the queue will not be read, now or later.
        """
        tally = Tally()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(hands):
                    group.create_task(self._hand(stop, tally, until_empty=until_empty))
        except* FirstlightError as e:
            raise e.exceptions[0] from None
        return tally

    async def _hand(self, stop: asyncio.Event, tally: Tally, *, until_empty: bool) -> None:
        pause = self.pause
        while not stop.is_set():
            try:
                messages = await self._received(stop)
            except UnfinishedError as e:
                self.write(telemetry.failure_line(e, request_id=""))
                if until_empty and pause >= _LONGEST_PAUSE:
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = self.pause
            if messages:
                await self._work(messages, tally)
            elif until_empty:
                return

    async def _received(self, stop: asyncio.Event) -> Sequence[Message]:
        # What is on its way when the listening is cut off comes again, as everything that is not done.
        receiving = asyncio.ensure_future(self.source.receive(wait=self.listening))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else ()
        finally:
            for task in (receiving, stopping):
                task.cancel()
            await asyncio.gather(receiving, stopping, return_exceptions=True)

    async def _work(self, messages: Sequence[Message], tally: Tally) -> None:
        clock = asyncio.get_running_loop().time
        started, request_id = clock(), secrets.token_hex(8)
        try:
            worked = await work(
                messages, self.registry, admission=self.admission, now=self.now, deadline=started + self.deadline
            )
        except Exception as e:  # noqa: BLE001 -- whatever it is, the worker goes on and the messages come again
            self.write(telemetry.failure_line(e, request_id=request_id))
            tally.again += len(messages)
            return
        await self._tidy(self.source.done(worked.done), request_id)
        await self._tidy(self.source.again(worked.again), request_id)
        tally.done += len(worked.done)
        tally.again += len(worked.again)
        seconds = clock() - started
        lines = telemetry.work_lines(worked, self.place, self.now(), request_id=request_id, seconds=seconds)
        self.write("\n".join(lines))

    async def _tidy(self, tidying: Awaitable[None], request_id: str) -> None:
        try:
            await tidying
        except Exception as e:  # noqa: BLE001 -- what is not taken out comes again, which does no harm
            self.write(telemetry.failure_line(e, request_id=request_id))
