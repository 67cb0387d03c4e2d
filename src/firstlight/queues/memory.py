"""
A queue that keeps its messages in a list: the reference for the contract suite.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from firstlight.backlog import Message
from firstlight.errors import FirstlightError
from firstlight.overflow import Waiting, encode


class MemoryQueue:
    """
    One message a device, delivered in order, *batch* at a time; what came *most* times goes to `dead`.

    Nothing outlives the process.
    """

    def __init__(self, *, batch: int = 10, most: int = 5) -> None:
        self.bodies: dict[str, str] = {}
        self.dead: list[str] = []
        self._batch = batch
        self._most = most
        self._ready: deque[str] = deque()
        self._deliveries: dict[str, int] = {}
        self._arrived = asyncio.Event()

    def send(self, body: str) -> None:
        """
        Put a message in, whoever wrote it.
        """
        handle = str(len(self._deliveries))
        self._deliveries[handle] = 0
        self.bodies[handle] = body
        self._ready.append(handle)
        self._arrived.set()

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        """
        See `firstlight.overflow.Overflow`.
        """
        del deadline  # memory never makes anyone wait
        for one in waiting:
            self.send(encode([one]))
        return [None] * len(waiting)

    async def receive(self, *, wait: float) -> list[Message]:
        """
        See `firstlight.backlog.Source`.
        """
        if not self._ready:
            self._arrived.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        handles = list(islice(self._ready, self._batch))
        for handle in handles:
            self._ready.popleft()
            self._deliveries[handle] += 1
        return [Message.of(handle, self.bodies[handle]) for handle in handles]

    async def done(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.bodies.pop(message.handle, None)

    async def again(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self._deliveries[message.handle] >= self._most:
                self.dead.append(self.bodies.pop(message.handle))
            else:
                self._ready.append(message.handle)
        self._arrived.set()
