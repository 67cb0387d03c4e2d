"""
One request of a push over HTTP, and in one sentence what went wrong with it.
"""

import json
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from yarl import URL

from firstlight.errors import UsageError
from firstlight.loopback import is_loopback
from firstlight.push.answers import Answer, match, refused
from firstlight.push.asking import PROVISION, Ask
from firstlight.push.authorizations import Authorization
from firstlight.push.entries import Entry

_CONNECT_SECONDS = 10
# Ten thousand answers are under 3 MiB; whatever is far beyond is no answer to a push.
_MAX_ANSWER = 32 * 2**20
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Transport:
    """
    How the server is reached: seconds a request may take, whom TLS trusts, the proxy on the way.

    `insecure` lets credentials travel over plain HTTP to another machine.
    """

    timeout: float = 60.0
    tls: ssl.SSLContext | None = None
    proxy: str | None = None
    insecure: bool = False

    def session(self, clients: int) -> aiohttp.ClientSession:
        """
        Return an HTTP client of at most *clients* connections; the caller closes it.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=clients, ssl=self.tls or True),
            timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=_CONNECT_SECONDS),
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    The answers to one request, and the seconds after which the server asked to be called again.
    """

    answers: list[Answer]
    retry_after: float = 0.0


def interop_url(url: str, *, insecure: bool = False) -> URL:
    """
    Return the URL of the API's push route, whether *url* names it or the API itself.

    Raises:
        UsageError: *url* cannot be pushed to, or credentials would travel in the clear.
    """
    try:
        parsed = URL(url)
    except ValueError as e:
        raise UsageError(f"{url!r} is not a URL.") from e
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError(f"{url!r} is not an http or https URL.")
    if parsed.user or parsed.password or parsed.query_string or parsed.fragment:
        raise UsageError("The URL must end with its path and hold no credentials.", hint="Use --basic for them.")
    if parsed.scheme == "http" and not is_loopback(parsed.host) and not insecure:
        raise UsageError(
            f"Credentials would travel to {parsed.host} in the clear.", hint="Use https, or --insecure if you must."
        )
    path = parsed.path.rstrip("/")
    return parsed.with_path(path if path.endswith("/interop") else f"{path}/interop")


async def exchange(
    session: aiohttp.ClientSession,
    url: URL,
    entries: Sequence[Entry],
    body: bytes,
    *,
    authorization: Authorization,
    proxy: str | None = None,
    asked: Ask = PROVISION,
) -> Exchange:
    """
    Send *body*, the request of *entries*, and return an answer for each.
    """
    headers = {"Authorization": authorization(), "Content-Type": "application/json"}
    if asked.prefer:
        headers["Prefer"] = asked.prefer
    try:
        # a redirect followed would carry the credentials to wherever it points
        async with session.post(url, data=body, headers=headers, allow_redirects=False, proxy=proxy) as response:
            raw = await _read(response)
    except TimeoutError:
        return Exchange(refused(entries, "The server did not answer in time."))
    except aiohttp.ClientError as e:
        return Exchange(refused(entries, _unreachable(e)))
    if raw is None:
        return Exchange(refused(entries, "The server's answer is too large for one to a push."))
    answered = {HTTPStatus.OK, HTTPStatus.ACCEPTED} if asked.prefer else {HTTPStatus.OK}
    if response.status in answered and response.content_type != "text/html":
        return Exchange(match(entries, raw, asked))
    message, again = _refusal(response, raw)
    return Exchange(refused(entries, message, again=again), _retry_after(response))


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > _MAX_ANSWER:
            response.close()
            return None
    return bytes(body)


def _unreachable(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "The server did not prove over TLS who it is; --trust names the CA to believe."
        case aiohttp.ClientConnectorError():
            return f"The server cannot be reached: {_system_reason(error.os_error)}."
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "The server closed the connection without an answer."
        case aiohttp.ClientPayloadError():
            return "The server's answer was cut short."
        case _:
            return f"The server did not answer in HTTP ({type(error).__name__})."


def _system_reason(error: OSError) -> str:
    # asyncio words what the system says anew; a host that is not found has a number of its own kind
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or "no such host"


def _refusal(response: aiohttp.ClientResponse, raw: bytes) -> tuple[str, bool]:
    sentence, again = _SENTENCES.get(response.status, _of_class(response.status))
    reason = _reason(raw) or f"its body is {response.content_type or 'of no type'}, not the protocol's JSON."
    return f"{sentence} ({response.status}): {reason}", again


def _of_class(status: int) -> tuple[str, bool]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The server could not answer", True
    if status >= HTTPStatus.BAD_REQUEST:
        return "The server did not take the push", False
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return "The server redirects elsewhere, and credentials do not follow", False
    return "The server's answer is not one to a push", False


_SENTENCES: dict[int, tuple[str, bool]] = {
    401: ("The server refused the credentials", False),
    403: ("The server does not allow this caller", False),
    404: ("There is no ingest API at this URL", False),
    408: ("The server gave up waiting for the push", True),
    413: ("The push is too large for the server; make it smaller with --chunk", False),
    429: ("The server asks to slow down", True),
    503: ("The server asks to push again later", True),
}


def _reason(raw: bytes) -> str:
    # the protocol says `error`, API Gateway `message`
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    found = (value.get("error") or value.get("message")) if isinstance(value, dict) else None
    return found[:_MAX_REASON] if isinstance(found, str) else ""


def _retry_after(response: aiohttp.ClientResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
