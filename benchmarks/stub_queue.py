"""
A stand-in for an SQS queue over the JSON protocol, and for the event source that feeds a Lambda function from it.

As far as a queue of devices meets SQS: batches, visibility time-outs, deliveries counted, dead letters.  Any
signature will do.
"""

import asyncio
import hashlib
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from benchmarks.function import Function

_LOOK = 0.05  # seconds between two looks into the queue


@dataclass
class Message:
    """
    One message; it may be delivered from `visible_at` on.
    """

    id: str
    body: str
    visible_at: float
    deliveries: int = 0
    receipt: str = ""


@dataclass(kw_only=True)
class StubQueue:
    """
    *unseen* is the visibility time-out in seconds; what came *most* times goes to `dead`.
    """

    unseen: float
    most: int
    messages: dict[str, Message] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    sent: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Do as SQS would.
        """
        document = await request.json()
        match request.headers.get("x-amz-target", "").rpartition(".")[2]:
            case "SendMessageBatch":
                done: Any = {"Successful": [self._sent(entry) for entry in document["Entries"]], "Failed": []}
            case "ChangeMessageVisibilityBatch":
                for entry in document["Entries"]:
                    self._changed(entry["ReceiptHandle"], entry["VisibilityTimeout"])
                done = {"Successful": [{"Id": entry["Id"]} for entry in document["Entries"]], "Failed": []}
            case operation:
                done = {"__type": f"com.amazonaws.sqs#UnsupportedOperation {operation}"}
        return web.json_response(done, status=200 if "__type" not in done else 400)

    async def receive(self, most: int, *, window: float) -> list[Message]:
        """
        Wait for a message, then up to *window* seconds for *most*.
        """
        while not self._due():  # noqa: ASYNC110 -- a message may also become due with time
            await asyncio.sleep(_LOOK)
        ends_at = time.monotonic() + window
        while len(self._due()) < most and time.monotonic() < ends_at:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(_LOOK)
        taken = self._due()[:most]
        for message in taken:
            message.deliveries += 1
            message.visible_at = time.monotonic() + self.unseen
            message.receipt = str(uuid.uuid4())
        return taken

    def delete(self, messages: list[Message]) -> None:
        for message in messages:
            self.messages.pop(message.id, None)

    def _due(self) -> list[Message]:
        now = time.monotonic()
        due = [message for message in self.messages.values() if message.visible_at <= now]
        for message in due:
            if message.deliveries >= self.most:
                self.dead.append(self.messages.pop(message.id))
        return [message for message in due if message.id in self.messages]

    def _sent(self, entry: dict[str, Any]) -> dict[str, str]:
        message = Message(str(uuid.uuid4()), entry["MessageBody"], time.monotonic())
        self.messages[message.id] = message
        self.sent += 1
        return {
            "Id": entry["Id"],
            "MessageId": message.id,
            "MD5OfMessageBody": hashlib.md5(message.body.encode()).hexdigest(),
        }

    def _changed(self, receipt: str, seconds: float) -> None:
        for message in self.messages.values():
            if message.receipt == receipt:
                message.visible_at = time.monotonic() + seconds


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """
    Lambda's poller: batches of *queue* to *worker*, *concurrency* at once, partial failures reported.
    """

    queue: StubQueue
    worker: Function
    batch: int
    window: float
    concurrency: int

    async def run(self) -> None:
        """
        Feed the worker until cancelled.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            messages = await self.queue.receive(self.batch, window=self.window)
            records = [
                {"messageId": m.id, "receiptHandle": m.receipt, "body": m.body, "eventSource": "aws:sqs"}
                for m in messages
            ]
            answer = await self.worker.invoke({"Records": records})
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            self.queue.delete([message for message in messages if message.id not in failed])
