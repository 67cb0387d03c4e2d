"""
An Azure Storage queue in this process, behind the pipeline of the real adapter: a push and a function send to it.
"""

import base64
import xml.etree.ElementTree as ET
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
        poison = url.path.removesuffix("/messages").endswith(POISON)
        delay = float(parse_qs(url.query)["visibilitytimeout"][0])
        text = ET.fromstring(str(request.content, "utf-8")).findtext("MessageText") or ""
        body = base64.b64decode(text).decode()
        return await self.wire.carry(
            "PutMessage",
            lambda fault: self._answer(body, delay, fault, poison=poison),
            about=lambda: f"{'poison' if poison else ''} in {delay:.0f} s",
            cannot=_CANNOT,
        )

    def _answer(self, body: str, delay: float, fault: str, *, poison: bool) -> Response | Exception:
        if not fault or fault in weather.DONE:
            if poison:
                self.queue.given_up.append(body)
            else:
                self.queue.send(body, delay=delay)
        if fault == weather.UNREACHABLE:
            return ServiceRequestError("no connection")
        if fault == weather.LOST:
            return ServiceResponseError("the connection was closed")
        status, code = _ERRORS.get(fault, (201, ""))
        return Response(status, {"x-ms-error-code": code}, b"")
