"""
The one thing ministack cannot know: the host devices connect to, which is the MQTT front door's.

ministack answers DescribeEndpoint with a name below `localhost` that does not resolve everywhere,
and with its own HTTP port.  Everything else passes through untouched, and so does every refusal.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def with_device_endpoint(app: App, host: str) -> App:
    """
    Return the ASGI application *app*, answering *host* where AWS answers its `iot:Data-ATS` endpoint.
    """

    async def answered(scope: Message, receive: Receive, send: Send) -> None:
        await app(scope, receive, _Rewritten(send, host) if _describes_endpoint(scope) else send)

    return answered


def _describes_endpoint(scope: Message) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/endpoint":
        return False
    # Other services may have a path of that name; the signature names the service.
    return any(name == b"authorization" and b"/iot/aws4_request" in value for name, value in scope["headers"])


class _Rewritten:
    def __init__(self, send: Send, host: str) -> None:
        self._send = send
        self._host = host
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._answer() if self._start["status"] == 200 else self._body  # noqa: PLR2004 -- HTTP's OK
        headers = [(k, v) for k, v in self._start["headers"] if k.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _answer(self) -> bytes:
        answer = json.loads(self._body)
        # The credential provider's endpoint has no front door here and keeps its name.
        if "-ats.iot." in answer["endpointAddress"]:
            answer["endpointAddress"] = self._host
        return json.dumps(answer).encode()
