"""
Storage accounts in memory: blobs, and queues whose messages are hidden for a while and come again unless deleted.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from firstlight.local.azure_cloud.rest import Refusal

BLOB_DOMAIN = "blob.core.windows.net"
QUEUE_DOMAIN = "queue.core.windows.net"


@dataclass
class StoredMessage:
    """
    A message.  `visible_at` is on the queue's clock; only the latest `receipt` deletes it.  After `ttl` seconds,
    -1 for never, Azure forgets it; a laptop is not on for that long.
    """

    text: str
    visible_at: float
    id: str = field(default_factory=lambda: str(uuid4()))
    receipt: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    dequeued: int = 0
    ttl: int = 7 * 24 * 3600


@dataclass
class StoredQueue:
    """
    A queue; its messages in the order in which they become visible.
    """

    name: str
    messages: list[StoredMessage] = field(default_factory=list)

    def put(self, text: str, *, visible_at: float) -> StoredMessage:
        message = StoredMessage(text, visible_at)
        self.messages.append(message)
        return message

    def take(self, number: int, *, now: float, hidden: float) -> list[StoredMessage]:
        """
        Return up to *number* visible messages and hide them for *hidden* seconds.
        """
        taken = self.peek(number, now=now)
        for message in taken:
            message.dequeued += 1
            message.visible_at = now + hidden
            message.receipt = secrets.token_urlsafe(12)
        return taken

    def peek(self, number: int, *, now: float) -> list[StoredMessage]:
        visible = [m for m in self.messages if m.visible_at <= now]
        return sorted(visible, key=lambda m: m.visible_at)[:number]

    def held(self, message_id: str, receipt: str) -> StoredMessage:
        """
        Return the message that *receipt* is the latest of.

        Raises:
            Refusal: it is not there any more, or somebody else has got it since.
        """
        message = next((m for m in self.messages if m.id == message_id), None)
        if message is None:
            raise Refusal(404, "MessageNotFound", "The specified message does not exist.")
        if message.receipt != receipt:
            raise Refusal(400, "PopReceiptMismatch", "The specified pop receipt did not match.")
        return message


@dataclass
class StoredBlob:
    """
    A block blob.
    """

    data: bytes = field(repr=False)
    content_type: str
    etag: str = field(default_factory=lambda: f"0x{secrets.token_hex(8).upper()}")


@dataclass
class StorageAccount:
    """
    A storage account and what is in it; `blocks`, by container, blob and id, are not part of a blob yet.
    """

    name: str
    resource_id: str
    queues: dict[str, StoredQueue] = field(default_factory=dict)
    containers: dict[str, dict[str, StoredBlob]] = field(default_factory=dict)
    blocks: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    def queue(self, name: str) -> StoredQueue:
        """
        Raises:
            Refusal: there is none.
        """
        if name not in self.queues:
            raise Refusal(404, "QueueNotFound", "The specified queue does not exist.")
        return self.queues[name]


# Monotonic seconds.
Clock = Callable[[], float]
