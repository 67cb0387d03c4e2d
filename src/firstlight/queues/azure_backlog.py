"""
The worker's side of an Azure Storage queue: what is left of a message is put back before it is let go.

A queue trigger knows no partial failure: a message is done or it is not.  So what is not done goes into new
messages first, and then the old one is done with.  A crash between the two only makes duplicates.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from firstlight.backlog import Message
from firstlight.errors import NotAttemptedError, ThrottledError
from firstlight.overflow import Waiting, encode
from firstlight.provision import Outcome
from firstlight.queues.azure_storage import StorageQueue, Taken, packed

# How often a device may fail before it is left in the poison queue.  Being throttled is no failure.
MOST_ATTEMPTS = 5
# Seconds before what was put back is seen again: as long as a hub asks to be left alone, and a fault may last.
_THROTTLED, _FAILED = 10, 30
# Messages taken at once, and how long others do not see them: longer than anybody works on them.
_BATCH, _HIDDEN = 16, 600
# Seconds between two looks into an empty queue, and for one call.
_LOOK, _CALL = 1.0, 10.0


class StorageBacklog:
    """
    See `firstlight.backlog.Source`.  A message without a handle is deleted by whoever took it: a function's host.
    """

    def __init__(self, queue: StorageQueue, *, batch: int = _BATCH) -> None:
        self._queue = queue
        self._batch = batch

    async def receive(self, *, wait: float) -> list[Message]:
        clock = asyncio.get_running_loop().time
        until = clock() + wait
        while True:
            taken = await self._queue.take(self._batch, hidden=_HIDDEN, deadline=clock() + _CALL)
            if taken or clock() + _LOOK > until:
                return [Message.of(_handle(one), one.text) for one in taken]
            await asyncio.sleep(_LOOK)

    async def done(self, messages: Sequence[Message]) -> None:
        await _all(self._delete(message) for message in messages)

    async def again(self, messages: Sequence[Message]) -> None:
        """
        Put what is left of *messages* back as new ones, or into the poison queue, and take the old ones out.

        Raises:
            RegistryError: not all of it is certainly back; the old messages stay.
        """
        await _all(self._put_back(message) for message in messages)

    async def _put_back(self, message: Message) -> None:
        if message.candidates is None:
            await self._send(message.body, poison=True)
        await _all(self._returns(message))
        await self._delete(message)

    def _returns(self, message: Message) -> Iterable[Coroutine[Any, Any, None]]:
        patient = [o for o in message.left if isinstance(o.error, ThrottledError | NotAttemptedError)]
        failed = [o for o in message.left if o not in patient]
        attempts = message.attempts + 1
        for portion in packed(_waiting(patient)):
            yield self._send(encode(portion, attempts=message.attempts), delay=_THROTTLED)
        if attempts < MOST_ATTEMPTS:
            for portion in packed(_waiting(failed)):
                yield self._send(encode(portion, attempts=attempts), delay=_FAILED * attempts)
        else:
            for outcome in failed:
                yield self._send(encode(_waiting([outcome]), reason=str(outcome.error)), poison=True)

    async def _send(self, body: str, *, delay: float = 0, poison: bool = False) -> None:
        deadline = asyncio.get_running_loop().time() + _CALL
        await self._queue.send(body, delay=delay, poison=poison, deadline=deadline)

    async def _delete(self, message: Message) -> None:
        if message.handle:
            message_id, receipt = json.loads(message.handle)
            taken = Taken(message_id, receipt, 0, "")
            await self._queue.delete(taken, deadline=asyncio.get_running_loop().time() + _CALL)


def _handle(taken: Taken) -> str:
    return json.dumps([taken.id, taken.receipt])


def _waiting(outcomes: Iterable[Outcome]) -> list[Waiting]:
    # The same device twice in a message is one device.
    known = {o.identity.fingerprint: (o.ref, o.identity) for o in outcomes if o.identity is not None}
    return [Waiting(ref, who.pem, who.fingerprint, who.attributes) for ref, who in known.values()]


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """
    Let each of *calls* end; raise the first error afterwards.
    """
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
