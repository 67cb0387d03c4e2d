"""
The HTTP side of the laptop Azure's REST services: each answers at its own host names.
"""

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Protocol
from uuid import uuid4

from aiohttp import web

from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal

_LOG = logging.getLogger(__name__)
# The largest body a service takes, unless it says otherwise; templates are up to 4 MB.
_MAX_BODY = 4 * 2**20


class Finds(Protocol):
    """
    What `Routes` is to a service: where a path leads.
    """

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]: ...


@dataclass(frozen=True)
class Service:
    """
    `hosts` matches the whole host name; `refuse` makes the body of a refusal in this service's shape.
    """

    hosts: re.Pattern[str]
    routes: Finds
    refuse: Callable[[Refusal], Any]
    max_body: int = _MAX_BODY


def application(services: Sequence[Service]) -> web.Application:
    """
    Return what answers every request: the service of its host does.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0].lower()
        service = next((s for s in services if s.hosts.fullmatch(host)), None)
        if service is None:
            return _response(Answer(421, {"error": f"The laptop's Azure has no service at {host}."}))
        # Without the query: it may bear what identifies, and never the body or a header.
        answer = await _answer(service, host, request)
        _LOG.info("%s %s%s %s", request.method, host, request.path, answer.status)
        return _response(answer)

    answering = web.Application(client_max_size=max(service.max_body for service in services))
    answering.router.add_route("*", "/{path:.*}", handle)
    return answering


async def _answer(service: Service, host: str, request: web.Request) -> Answer:
    try:
        _keep_browsers_out(request)
        _keep_size(request, service.max_body)
        handler, names = service.routes.find(request.method, request.path)
        call = Call(
            method=request.method,
            host=host,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            names=names,
        )
        answer = handler(call)
        return await answer if isawaitable(answer) else answer
    except Refusal as refusal:
        return Answer(refusal.status, service.refuse(refusal), _error_headers(refusal))


def _keep_browsers_out(request: web.Request) -> None:
    if "origin" in request.headers:
        raise Refusal(403, "Forbidden", "The laptop's Azure answers no web pages.")


def _keep_size(request: web.Request, most: int) -> None:
    if (request.content_length or 0) > most:
        raise Refusal(413, "RequestEntityTooLarge", f"The body is larger than {most} bytes.")


def _error_headers(refusal: Refusal) -> dict[str, str]:
    headers = {"iothub-errorcode": str(refusal.code), "x-ms-error-code": str(refusal.code)}
    if refusal.status == web.HTTPUnauthorized.status_code:
        # azure-core asks for a new token once when it sees this
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return headers


def _response(answer: Answer) -> web.Response:
    if isinstance(answer.body, bytes):
        body = answer.body
    else:
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "x-ms-request-id": str(uuid4()), **answer.headers}
    if answer.body is None:
        del headers["Content-Type"]
    return web.Response(status=answer.status, body=body, headers=headers)
