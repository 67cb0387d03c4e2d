"""
An Azure Storage queue: what a push could not finish, several devices a message, and the poison queue beside it.

Messages are base64 text, as the Functions trigger wants them, of at most 64 KB, and never expire.
"""

import asyncio
import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from azure.core.credentials_async import AsyncTokenCredential

from firstlight.errors import FirstlightError, RegistryError, SettingsError, UnfinishedError
from firstlight.overflow import Waiting, encode
from firstlight.queues.azure_storage_calls import MissingError, StorageCalls

# What the Functions host calls the queue for messages that failed too often.
POISON = "-poison"
SENDER, PROCESSOR = "Storage Queue Data Message Sender", "Storage Queue Data Message Processor"
READER, CONTRIBUTOR = "Storage Queue Data Reader", "Storage Queue Data Contributor"
# Bytes before base64; 64 KB after it.
_MOST_BYTES = 48 * 1024
# As many as a bulk call of a hub carries.
_MOST_DEVICES = 100
_MOST_CALLS = 16
# A queue's URL: https, one host, one name (3 to 63 lower-case letters, digits and single hyphens).
_NAME = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")


class Taken(NamedTuple):
    """
    A message that was taken and is hidden from others for a while; `dequeued` counts how often it was.
    """

    id: str
    receipt: str
    dequeued: int
    # As it was sent; what is not base64 is as it is.
    text: str


class StorageQueue:
    """
    The queue at *url*, as in https://contoso.queue.core.windows.net/firstlight.

    Make one per process and keep it; it belongs to the event loop of its first call.
    """

    def __init__(
        self, url: str, *, credential: AsyncTokenCredential, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        """
        Raises:
            SettingsError: *url* is no queue's.
        """
        parts = urlsplit(url)
        self.name = parts.path.strip("/")
        if parts.scheme != "https" or not parts.netloc or not _NAME.fullmatch(self.name) or parts.query:
            raise SettingsError(
                f"{url!r} is no URL of an Azure Storage queue.",
                hint="It is as in https://contoso.queue.core.windows.net/firstlight.",
            )
        self._calls = StorageCalls(parts.netloc, credential=credential, ca_file=ca_file, proxy=proxy)
        self._places = asyncio.Semaphore(_MOST_CALLS)

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        """
        See `firstlight.overflow.Overflow`.
        """
        said: list[FirstlightError | None] = [None] * len(waiting)

        async def sent(positions: list[int]) -> None:
            try:
                await self.send(encode(waiting[p] for p in positions), deadline=deadline)
            except FirstlightError as e:
                for position in positions:
                    said[position] = e
            except Exception as e:  # noqa: BLE001 -- a surprise must not cost the others their answers
                problem = UnfinishedError(f"Not queued: unexpected {type(e).__name__}.")
                problem.__cause__ = e
                for position in positions:
                    said[position] = problem

        async with asyncio.TaskGroup() as group:
            for positions in _packed(waiting):
                group.create_task(sent(positions))
        return said

    async def send(self, body: str, *, delay: float = 0, poison: bool = False, deadline: float) -> None:
        """
        Put the message *body* in, to be seen in *delay* seconds, or into the poison queue.

        There it is for people: what base64 has no room for is put as it is, which is what others may have sent.

        Raises:
            UnfinishedError: it may not be there.
            RegistryError: the queue does not take it.
        """
        raw = body.encode()
        fits = len(raw) <= _MOST_BYTES
        if not fits and not poison:
            raise RegistryError(f"Not queued: a message has room for {_MOST_BYTES} bytes, and this is {len(raw)}.")
        text = escape(base64.b64encode(raw).decode() if fits else body)
        async with self._places:
            await self._calls.call(
                "POST",
                f"/{self.name}{POISON if poison else ''}/messages",
                {"messagettl": -1, "visibilitytimeout": round(delay)},
                f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>".encode(),
                headers={"Content-Type": "application/xml"},
                role=SENDER,
                deadline=deadline,
            )

    async def take(self, number: int, *, hidden: float, deadline: float) -> list[Taken]:
        """
        Return up to *number* (1 to 32) messages, hidden from others for *hidden* seconds.

        Raises:
            UnfinishedError: the queue failed or did not answer.
            RegistryError: it would not.
        """
        answer = await self._calls.call(
            "GET",
            f"/{self.name}/messages",
            {"numofmessages": number, "visibilitytimeout": round(hidden)},
            role=PROCESSOR,
            deadline=deadline,
        )
        try:
            # From the service we authenticated; expat expands no entities without bounds.
            listed = ET.fromstring(answer.body)  # noqa: S314 -- as above
            return [_taken(one) for one in listed.iter("QueueMessage")]
        except (ET.ParseError, ValueError) as e:
            raise UnfinishedError(f"{self._calls.host} answered something that is no list of messages.") from e

    async def delete(self, message: Taken, *, deadline: float) -> None:
        """
        Take *message* out of the queue.

        Raises:
            RegistryError: it may still be there; then it comes again, which does no harm.
        """
        path = f"/{self.name}/messages/{message.id}"
        # Gone already, when an answer was lost.
        with suppress(MissingError):
            await self._calls.call("DELETE", path, {"popreceipt": message.receipt}, role=PROCESSOR, deadline=deadline)

    async def hide(self, message: Taken, *, seconds: float, deadline: float) -> None:
        """
        Let *message* be seen again in *seconds* from now; only whoever may change messages may.

        Raises:
            RegistryError: it comes again when it would have.
        """
        path, query = f"/{self.name}/messages/{message.id}", {"popreceipt": message.receipt}
        await self._calls.call(
            "PUT", path, query | {"visibilitytimeout": f"{seconds:.0f}"}, role=CONTRIBUTOR, deadline=deadline
        )

    async def count(self, *, poison: bool = False, deadline: float) -> int:
        """
        Return about how many messages there are, hidden ones included.

        Raises:
            RegistryError: the queue does not say.
        """
        path = f"/{self.name}{POISON if poison else ''}"
        answer = await self._calls.call("GET", path, {"comp": "metadata"}, role=READER, deadline=deadline)
        return int(answer.headers.get("x-ms-approximate-messages-count", "0"))

    async def close(self) -> None:
        """
        Close the connections and the credential.
        """
        await self._calls.close()


def packed(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """
    Yield *waiting* in portions that fit a message each.
    """
    for positions in _packed(waiting):
        yield [waiting[p] for p in positions]


def _packed(waiting: Sequence[Waiting]) -> Iterator[list[int]]:
    empty = len(encode([], attempts=_MOST_DEVICES).encode())
    portion: list[int] = []
    room = _MOST_BYTES - empty
    for position, one in enumerate(waiting):
        # JSON escapes all but ASCII, so that a character is a byte; one more for the comma.
        size = len(encode([one])) - len(encode([])) + 1
        if portion and (size > room or len(portion) == _MOST_DEVICES):
            yield portion
            portion, room = [], _MOST_BYTES - empty
        portion.append(position)
        room -= size
    if portion:
        yield portion


def _taken(one: ET.Element) -> Taken:
    facts = {name: one.findtext(name) or "" for name in ("MessageId", "PopReceipt", "DequeueCount", "MessageText")}
    text = facts["MessageText"]
    with suppress(binascii.Error, ValueError):
        text = base64.b64decode(text, validate=True).decode()
    return Taken(facts["MessageId"], facts["PopReceipt"], int(facts["DequeueCount"]), text)
