"""
Keeps web pages out: a browser on this machine reaches 127.0.0.1 too, and ministack lets any origin in.

A page could run code as the engineer, through a Lambda.  What a browser sends on a page's behalf bears
an `Origin`, `Referer` or `Sec-Fetch-Site`, and through a rebound name a foreign `Host`; what SDKs and
shells send bears none of them.
"""

import json

from firstlight.local.device_endpoint import App, Message, Receive, Send
from firstlight.loopback import is_loopback

_REFUSAL = json.dumps(
    {"message": "The laptop's AWS answers no web pages, and on this machine's own names only."}
).encode()
_OWN_NAMES = ".localhost"


def without_browsers(app: App) -> App:
    """
    Return the ASGI application *app*, refusing with 403 what a web page may have sent.
    """

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not _is_local(scope):
            await _refuse(scope, send)
        else:
            await app(scope, receive, send)

    return guarded


def _is_local(scope: Message) -> bool:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "").rpartition("@")[2].lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    # Images, scripts and links of a page bear no Origin, yet every browser says that a page asked for them.
    from_page = b"origin" in headers or headers.get(b"sec-fetch-site", "none") != "none" or b"referer" in headers
    return not from_page and (is_loopback(name) or name.endswith(_OWN_NAMES))


async def _refuse(scope: Message, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})
