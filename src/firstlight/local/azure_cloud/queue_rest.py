"""
The Queue service's REST API as far as a worker meets it: put, get, peek, update and delete messages, metadata.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from typing import Any

from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.storage import QUEUE_DOMAIN, Clock, StoredMessage, StoredQueue
from firstlight.local.azure_cloud.storage_access import StorageAccess

_MESSAGES = "queueServices/queues/messages"
_MOST_TEXT = 64 * 1024
_MOST_TAKEN = 32
_LONGEST_HIDDEN = 7 * 24 * 3600
_XML = {"Content-Type": "application/xml"}
_STAMP = "Fri, 20 Nov 2026 00:00:00 GMT"

_Handle = Callable[[StoredQueue, Call], Answer]


class QueueService:
    """
    Answers at every storage account's `…queue.core.windows.net`.
    """

    def __init__(self, access: StorageAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self.refuse = access.refuse
        self.routes = Routes()
        # Each with the data actions of which one is enough ("Authorize with Microsoft Entra ID", Queue service).
        for method, path, handler, actions in (
            ("POST", "/{queue}/messages", self._put, ("messages/add/action", "messages/write")),
            ("GET", "/{queue}/messages", self._get, ("messages/process/action",)),
            ("PUT", "/{queue}/messages/{id}", self._update, ("messages/write",)),
            ("DELETE", "/{queue}/messages/{id}", self._delete, ("messages/process/action", "messages/delete")),
            ("GET", "/{queue}", self._metadata, ("read",)),
            ("HEAD", "/{queue}", self._metadata, ("read",)),
        ):
            self.routes.add(method, path, self._allowed(handler, actions))

    def _allowed(self, handler: _Handle, actions: tuple[str, ...]) -> Handler:
        def answer(call: Call) -> Answer:
            account = self._access.account(call, QUEUE_DOMAIN)
            wanted = ("messages/read",) if "peekonly" in call.query else actions
            self._access.require(
                call,
                f"{account.resource_id}/queueServices/default/queues/{call.names['queue']}",
                "queueServices/queues",
                wanted,
                data=wanted != ("read",),
            )
            return handler(account.queue(call.names["queue"]), call)

        return answer

    def _put(self, queue: StoredQueue, call: Call) -> Answer:
        try:
            text = ET.fromstring(call.body).findtext("MessageText")  # noqa: S314 -- from this machine's own programs
        except ET.ParseError as e:
            raise Refusal(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from e
        if text is None:
            raise Refusal(400, "InvalidXmlDocument", "There is no MessageText.")
        if len(text.encode()) > _MOST_TEXT:
            raise Refusal(413, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum.")
        ttl = _number(call, "messagettl", _LONGEST_HIDDEN, least=-1)
        if ttl == 0:
            raise Refusal(400, "OutOfRangeQueryParameterValue", "messagettl is -1, or positive.")
        hidden = _number(call, "visibilitytimeout", 0)
        message = queue.put(text, visible_at=self._clock() + hidden)
        message.ttl = ttl
        return Answer(201, _xml([message], "MessageId", "PopReceipt"), _XML)

    def _get(self, queue: StoredQueue, call: Call) -> Answer:
        number = _number(call, "numofmessages", 1, least=1, most=_MOST_TAKEN)
        if call.query.get("peekonly") == "true":
            return Answer(
                200, _xml(queue.peek(number, now=self._clock()), "MessageId", "DequeueCount", "MessageText"), _XML
            )
        hidden = _number(call, "visibilitytimeout", 30, least=1)
        taken = queue.take(number, now=self._clock(), hidden=hidden)
        return Answer(200, _xml(taken, "MessageId", "PopReceipt", "DequeueCount", "MessageText"), _XML)

    def _update(self, queue: StoredQueue, call: Call) -> Answer:
        message = queue.held(call.names["id"], call.query.get("popreceipt", ""))
        message.visible_at = self._clock() + _number(call, "visibilitytimeout", 0)
        return Answer(204, None, {"x-ms-popreceipt": message.receipt})

    @staticmethod
    def _delete(queue: StoredQueue, call: Call) -> Answer:
        queue.messages.remove(queue.held(call.names["id"], call.query.get("popreceipt", "")))
        return Answer(204)

    @staticmethod
    def _metadata(queue: StoredQueue, call: Call) -> Answer:
        if call.query.get("comp") != "metadata":
            raise Refusal(400, "UnsupportedQueryParameter", "The laptop's Azure answers comp=metadata only.")
        return Answer(200, None, {"x-ms-approximate-messages-count": str(len(queue.messages))})


def _number(call: Call, name: str, default: int, *, least: int = 0, most: int = _LONGEST_HIDDEN) -> int:
    text = call.query.get(name, str(default))
    if not text.removeprefix("-").isdecimal() or not least <= int(text) <= most:
        raise Refusal(400, "OutOfRangeQueryParameterValue", f"{name} is {least} to {most}.")
    return int(text)


def _xml(messages: Iterable[StoredMessage], *names: str) -> bytes:
    top = ET.Element("QueueMessagesList")
    for message in messages:
        facts: dict[str, Any] = {
            "MessageId": message.id,
            "PopReceipt": message.receipt,
            "DequeueCount": message.dequeued,
            "MessageText": message.text,
        }
        one = ET.SubElement(top, "QueueMessage")
        for name in ("InsertionTime", "ExpirationTime", "TimeNextVisible"):
            ET.SubElement(one, name).text = _STAMP
        for name in names:
            ET.SubElement(one, name).text = str(facts[name])
    text: bytes = ET.tostring(top, encoding="utf-8", xml_declaration=True)
    return text
