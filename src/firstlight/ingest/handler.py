"""
One HTTP request to the core and back: unwrap, answer, log, wrap.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from firstlight import telemetry
from firstlight.errors import RequestError
from firstlight.ingest import body
from firstlight.ingest.limits import Limits
from firstlight.interop import Interop, Reply, Request, error_reply

# Of the time a push has, what it may spend waiting for its turn.
_WAITING = 0.5
# The caller does not read on after these, so neither does the connection.
_LAST_WORDS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}


class Handler:
    """
    Answers requests with *interop*, a push within *deadline* seconds of its arrival.

    *write* is given the log lines of a request, all at once.
    """

    def __init__(
        self,
        interop: Interop,
        *,
        deadline: float,
        source: telemetry.Source,
        write: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self.deadline = deadline
        self.limits = limits or Limits()
        self._interop = interop
        self._source = source
        self._write = write
        self._turns = asyncio.Semaphore(self.limits.pushes)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    async def __call__(self, message: web.BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        self._idle.clear()
        try:
            return await self._respond(message)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def finish(self) -> None:
        """
        Wait for the requests in flight, not longer than a push may take; each is its connection's last.
        """
        self._closing = True
        try:
            async with asyncio.timeout(self.deadline + self.limits.upload):
                await self._idle.wait()
        except TimeoutError:
            self._write(telemetry.event_line("abandoned", {"requests": self._in_flight}))

    async def _respond(self, message: web.BaseRequest) -> web.StreamResponse:
        clock = asyncio.get_running_loop().time
        arrived, request, failure = clock(), _head(message), None
        try:
            reply = await self._reply(message, request, arrived + self.deadline)
        except RequestError as e:
            reply = error_reply(e.status, str(e))
        except Exception as e:  # noqa: BLE001 -- whatever it is, the caller gets JSON and the log a line
            reply, failure = error_reply(500, "Internal error"), e
        record = telemetry.Record(request, reply, secrets.token_hex(8), clock() - arrived, failure)
        self._write("\n".join(telemetry.lines(record, self._source, datetime.now(UTC))))
        response = web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        if self._closing or reply.status in _LAST_WORDS:
            response.force_close()
        return response

    async def _reply(self, message: web.BaseRequest, request: Request, deadline: float) -> Reply:
        if (request.method, request.path.strip("/")) != ("POST", "interop"):
            return await self._interop.answer(request, deadline=deadline)
        # nothing of a body is read before its caller is known
        known = await self._interop.answer(replace(request, method="GET", path="/auth"), deadline=deadline)
        if known.status != HTTPStatus.OK:
            return known
        body.require_small(message, self.limits)
        try:
            async with asyncio.timeout(self.deadline * _WAITING):
                await self._turns.acquire()
        except TimeoutError:
            busy = f"{self.limits.pushes} pushes are being answered already; push again later."
            return error_reply(503, busy, {"Retry-After": "5"})
        try:
            return await self._interop.answer(
                replace(request, body=await body.read(message, self.limits)), deadline=deadline
            )
        finally:
            self._turns.release()


def _head(message: web.BaseRequest) -> Request:
    headers: dict[str, str] = {}
    for name, value in message.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Request(message.method, message.path, headers)
