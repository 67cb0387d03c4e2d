"""
A listening socket, its connections, and their orderly end.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from weakref import WeakSet

from aiohttp import web
from yarl import URL

from firstlight.errors import UsageError
from firstlight.ingest.handler import Handler
from firstlight.interop import error_reply

_BACKLOG = 512
_HANDSHAKE_SECONDS = 5.0
# Seconds a refused body is read and thrown away, so that its sender gets to read the answer.
_LINGERING = 5.0
# Seconds to write the last answers.
_FAREWELL = 1.0
# A request line is short here; a header may carry a token of 8 KiB.
_MAX_LINE, _MAX_FIELD, _MAX_HEADERS = 4096, 12_288, 64
_TOO_MANY_HEAD = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n"
)


@asynccontextmanager
async def listening(handler: Handler, *, host: str, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """
    Serve *handler* on *host* and *port* (0 is any free one) and yield the URL.

    On leaving, no connection is accepted any more and the requests in flight are answered; when
    cancelled meanwhile, they are cut off.

    Raises:
        UsageError: the address cannot be listened on.
    """
    server = _Server(handler)

    def accept() -> asyncio.Protocol:
        return server() if len(server.accepted) < handler.limits.connections else _Full()

    try:
        listener = await asyncio.get_running_loop().create_server(
            accept, host, port, ssl=tls, backlog=_BACKLOG, ssl_handshake_timeout=_HANDSHAKE_SECONDS if tls else None
        )
    except OSError as e:
        # asyncio words what the system says anew; a name that is not found has a number of its own kind
        reason = os.strerror(e.errno) if e.errno and e.errno > 0 else e.strerror
        raise UsageError(f"Cannot listen on {host} port {port}: {reason}.") from e
    bound = listener.sockets[0].getsockname()
    try:
        yield str(URL.build(scheme="https" if tls else "http", host=bound[0], port=bound[1]))
    finally:
        listener.close()
        try:
            await handler.finish()
        finally:
            server.pre_shutdown()
            await server.shutdown(_FAREWELL)


class _Server(web.Server):
    """
    Connections with our limits.
    """

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self._idle = handler.limits.idle
        # With those still in their TLS handshake, which aiohttp does not count.
        self.accepted: WeakSet[_Connection] = WeakSet()

    def __call__(self) -> web.RequestHandler:
        connection = _Connection(
            self,
            loop=self._loop,
            keepalive_timeout=self._idle,
            access_log=None,  # type: ignore[arg-type]  # None is how it is turned off
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_FIELD,
            max_headers=_MAX_HEADERS,
            lingering_time=_LINGERING,
            auto_decompress=False,
        )
        connection.patience = self._idle
        self.accepted.add(connection)
        return connection


class _Connection(web.RequestHandler):
    """
    A connection whose own refusals are JSON too, and which ends when nobody reads it.
    """

    __slots__ = ("__weakref__", "_giving_up", "patience")
    patience: float
    _giving_up: asyncio.TimerHandle

    def pause_writing(self) -> None:
        """
        The client does not read: cut it off, unless it goes on in time.
        """
        super().pause_writing()
        self._giving_up = self._loop.call_later(self.patience, self._cut_off)

    def resume_writing(self) -> None:
        """
        It reads again.
        """
        super().resume_writing()
        self._giving_up.cancel()

    def _cut_off(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """
        Answer what never reached the handler: something that is not HTTP.
        """
        del request, exc, message
        wrong = status < HTTPStatus.INTERNAL_SERVER_ERROR
        reply = error_reply(status, "This is not HTTP, or its head is too long." if wrong else "Internal error")
        response = web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """
    A connection too many.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            body = error_reply(503, "There are too many connections; connect again later.").body
            transport.write(_TOO_MANY_HEAD % len(body) + body)
        transport.close()
