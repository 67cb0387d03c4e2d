"""
An Azure Storage queue in this process, behind the pipeline of the real adapter: a push and a function send to it.
"""

import base64
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest

from firstlight.queues.azure_storage import POISON
from tests.faults import weather
from tests.faults.at_least_once import Queue
from tests.faults.pipeline import Pipeline, Response
from tests.faults.wire import Wire

URL = "https://contoso.queue.core.windows.net/devices"
_ERRORS = {
    weather.THROTTLED: (503, "ServerBusy"),
    weather.FAILED: (500, "InternalError"),
    weather.UNAVAILABLE: (503, "ServerBusy"),
    weather.DONE_THEN_500: (500, "OperationTimedOut"),
    weather.EXPIRED: (401, "InvalidAuthenticationInfo"),
}
_CANNOT = frozenset({weather.PARTIAL, weather.PARTIAL_LOST, weather.PARTIAL_TOLD})


@dataclass
class StorageCloud(Pipeline):
    """
    Takes messages for *queue*; those of the poison queue are given up at once.
    """

    wire: Wire
    queue: Queue

    async def send(self, request: HttpRequest) -> Response | Exception | None:
        """
        See `Pipeline`.
        """
        url = urlsplit(request.url)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        do: Callable[[], Response]
        match request.method:
            case "POST":
                name, do = "PutMessage", lambda: self._put(url.path, asked, request)
            case "GET":
                name, do = "GetMessages", lambda: self._get(asked)
            case _:
                name, do = "DeleteMessage", lambda: self._delete(asked)
        return await self.wire.carry(
            name, lambda fault: _answer(do, fault), about=lambda: url.path.split("/")[1], cannot=_CANNOT
        )

    def _put(self, path: str, asked: dict[str, str], request: HttpRequest) -> Response:
        text = ET.fromstring(str(request.content, "utf-8")).findtext("MessageText") or ""
        body = base64.b64decode(text).decode()
        if path.removesuffix("/messages").endswith(POISON):
            self.queue.given_up.append(body)
        else:
            self.queue.send(body, delay=float(asked["visibilitytimeout"]))
        return Response(201, {}, b"")

    def _get(self, asked: dict[str, str]) -> Response:
        taken = self.queue.take(int(asked["numofmessages"]), hidden=float(asked["visibilitytimeout"]))
        listed = ET.Element("QueueMessagesList")
        for delivery in taken:
            one = ET.SubElement(listed, "QueueMessage")
            ET.SubElement(one, "MessageId").text = delivery.receipt.partition(".")[0]
            ET.SubElement(one, "PopReceipt").text = delivery.receipt
            ET.SubElement(one, "DequeueCount").text = str(delivery.received)
            ET.SubElement(one, "MessageText").text = base64.b64encode(delivery.body.encode()).decode()
        return Response(200, {}, ET.tostring(listed))

    def _delete(self, asked: dict[str, str]) -> Response:
        if not self.queue.is_current(asked["popreceipt"]):
            return Response(404, {"x-ms-error-code": "MessageNotFound"}, b"")
        self.queue.delete(asked["popreceipt"])
        return Response(204, {}, b"")


def _answer(do: Callable[[], Response], fault: str) -> Response | Exception:
    done = do() if not fault or fault in weather.DONE else None
    if fault == weather.UNREACHABLE:
        return ServiceRequestError("no connection")
    if fault == weather.LOST:
        return ServiceResponseError("the connection was closed")
    if fault in _ERRORS or done is None:
        status, code = _ERRORS[fault]
        return Response(status, {"x-ms-error-code": code}, b"")
    return done
