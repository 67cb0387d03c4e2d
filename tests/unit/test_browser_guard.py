import asyncio

import pytest

from firstlight.local.browser_guard import without_browsers
from firstlight.local.device_endpoint import Message, Receive, Send


def _status(headers: dict[str, str], kind: str = "http") -> object:
    sent: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": kind, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(without_browsers(app)(scope, receive, send))
    return sent[0].get("status", sent[0]["type"])


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "localhost", "[::1]:4566", "bucket.localhost:1"])
def test_sdks_and_shells_are_let_in(host: str) -> None:
    """
    They come by this machine's own names, and from no page.
    """
    assert 200 == _status({"host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:4566", "origin": "https://evil.example"},
        {"host": "127.0.0.1:4566", "origin": "null"},
        {"host": "127.0.0.1:4566", "sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1:4566", "sec-fetch-site": "same-site"},
        {"host": "127.0.0.1:4566", "referer": "https://evil.example/"},
        {"host": "rebound.example:4566"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": "localhost.evil.example"},
        {"host": "localhost@evil.example"},
        {},
    ],
)
def test_web_pages_are_kept_out(headers: dict[str, str]) -> None:
    """
    The laptop's AWS runs code; a page that the engineer happens to visit must not.
    """
    assert 403 == _status(headers)
    assert "websocket.close" == _status(headers, "websocket")
