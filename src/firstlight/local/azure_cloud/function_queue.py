"""
A queue trigger as the Functions host has it: messages in parallel, deleted when their function returns.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from firstlight.errors import FirstlightError
from firstlight.queues.azure_storage import StorageQueue, Taken

_LOG = logging.getLogger(__name__)
# As the host hides them: ten minutes, which it renews for a function that takes longer; ours must not.
_HIDDEN = 600.0
# Seconds between two looks into an empty queue, and for one call.
_LOOK, _CALL = 0.5, 10.0


class QueueTrigger:
    """
    Hands the messages of *queue* to *work*, by their id and text, as host.json's *limits* for queues say.
    """

    def __init__(
        self, queue: StorageQueue, work: Callable[[str, str], Awaitable[None]], limits: Mapping[str, int | str]
    ) -> None:
        self._queue = queue
        self._work = work
        self._batch = int(limits.get("batchSize", 16))
        self._threshold = int(limits.get("newBatchThreshold", self._batch // 2))
        self._most = int(limits.get("maxDequeueCount", 5))
        self._pause = _seconds(str(limits.get("visibilityTimeout", "00:00:00")))
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """
        Watch the queue until cancelled; then what is under way is given up, and comes again.
        """
        try:
            while True:
                if len(self._running) > self._threshold:
                    await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                    continue
                for message in await self._taken():
                    task = asyncio.create_task(self._one(message))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _taken(self) -> list[Taken]:
        try:
            taken = await self._queue.take(self._batch, hidden=_HIDDEN, deadline=_soon())
        except FirstlightError as e:
            _LOG.error("%s", e)
            taken = []
        if not taken:
            await asyncio.sleep(_LOOK)
        return taken

    async def _one(self, message: Taken) -> None:
        done = message.dequeued <= self._most and await self._worked(message)
        try:
            if not done and message.dequeued < self._most:
                await self._queue.hide(message, seconds=self._pause, deadline=_soon())
                return
            if not done:
                await self._queue.send(message.text, poison=True, deadline=_soon())
            await self._queue.delete(message, deadline=_soon())
        except FirstlightError as e:
            # The host ends when it cannot tell the queue, and is started anew; what is under way comes again.
            _LOG.error("The host is shutting down: %s", e)
            for other in self._running - {asyncio.current_task()}:
                other.cancel()

    async def _worked(self, message: Taken) -> bool:
        try:
            await self._work(message.id, message.text)
        except Exception as e:  # noqa: BLE001 -- the message comes again, and the others are not its business
            _LOG.error("A message of %s failed: %s", self._queue.name, type(e).__name__)
            return False
        return True


def _seconds(span: str) -> float:
    hours, minutes, seconds = map(float, span.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


def _soon() -> float:
    return asyncio.get_running_loop().time() + _CALL
