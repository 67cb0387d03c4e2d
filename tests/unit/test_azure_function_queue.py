"""
The laptop's queue trigger keeps a message until its function returns, and lays it aside when that fails too often.
"""

import asyncio
from typing import Any

from firstlight.errors import RegistryError, UnfinishedError
from firstlight.local.azure_cloud.function_queue import QueueTrigger
from firstlight.queues.azure_storage import Taken

_LIMITS = {"batchSize": 2, "newBatchThreshold": 1, "maxDequeueCount": 5, "visibilityTimeout": "00:05:00"}


class _Queue:
    """
    Hands out what it has, once; remembers what was deleted and what was laid aside.
    """

    name = "devices"

    def __init__(self, *messages: Taken, failures: int = 0, forbidden: bool = False) -> None:
        self.waiting = list(messages)
        self.failures = failures
        self.forbidden = forbidden
        self.deleted: list[str] = []
        self.hidden: list[tuple[str, float]] = []
        self.poison: list[str] = []
        self.empty = asyncio.Event()

    async def take(self, number: int, **_: Any) -> list[Taken]:
        if self.failures:
            self.failures -= 1
            raise UnfinishedError("The queue failed.")
        taken, self.waiting = self.waiting[:number], self.waiting[number:]
        if not taken:
            self.empty.set()
        return taken

    async def send(self, body: str, *, poison: bool, deadline: float) -> None:
        assert poison
        self.poison.append(body)

    async def delete(self, message: Taken, **_: Any) -> None:
        self.deleted.append(message.id)

    async def hide(self, message: Taken, *, seconds: float, deadline: float) -> None:
        if self.forbidden:
            raise RegistryError("Not allowed.")
        self.hidden.append((message.id, seconds))


def _message(number: int, dequeued: int = 1) -> Taken:
    return Taken(str(number), "receipt", dequeued, f"text {number}")


def _run(queue: _Queue, *, failing: str = "") -> list[str]:
    worked: list[str] = []

    async def work(message_id: str, text: str) -> None:
        worked.append(text)
        if text == failing:
            raise RuntimeError("The message stays in the queue.")
        await asyncio.sleep(0)

    async def run() -> None:
        trigger = asyncio.create_task(QueueTrigger(queue, work, _LIMITS).run())  # type: ignore[arg-type]
        async with asyncio.timeout(10):
            await queue.empty.wait()
        trigger.cancel()
        await asyncio.gather(trigger, return_exceptions=True)

    asyncio.run(run())
    return worked


def test_every_message_is_worked_on_and_deleted() -> None:
    """
    More than a batch of them, and after the queue did not answer.
    """
    queue = _Queue(*map(_message, range(7)), failures=1)

    assert sorted(f"text {n}" for n in range(7)) == sorted(_run(queue))
    assert sorted(map(str, range(7))) == sorted(queue.deleted)


def test_a_message_whose_function_fails_is_kept() -> None:
    """
    It comes again in a while; its neighbours are done.
    """
    queue = _Queue(*map(_message, range(3)))

    _run(queue, failing="text 1")

    assert ["0", "2"] == sorted(queue.deleted)
    assert [("1", 300.0)] == queue.hidden
    assert [] == queue.poison


def test_a_host_that_may_not_put_a_message_off_ends_with_all_that_is_under_way() -> None:
    """
    As Azure's does (QueueProcessor, ReleaseMessageAsync): an innocent neighbour is neither done nor deleted.
    """
    queue = _Queue(_message(0), _message(1), forbidden=True)

    assert ["text 0", "text 1"] == _run(queue, failing="text 1")
    assert [] == queue.deleted == queue.hidden


def test_what_came_too_often_is_laid_aside() -> None:
    """
    After the last failure at once, or else unread; and deleted only then.
    """
    queue = _Queue(_message(1, dequeued=6), _message(2, dequeued=5), _message(3, dequeued=5))

    assert ["text 2", "text 3"] == _run(queue, failing="text 3")
    assert (["text 1", "text 3"], ["1", "2", "3"]) == (queue.poison, sorted(queue.deleted))
