"""
An Azure Function behind an HTTP trigger: unwrap the request, let the core answer, wrap the reply.
"""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit
from uuid import uuid4

import app_clients as clients
import azure.functions as func
import queue_worker
import upload_reader

from firstlight import telemetry
from firstlight.endpoint import interop_from
from firstlight.interop import Interop, Reply, Request, error_reply
from firstlight.settings import Settings

# The function checks tokens itself: a key of the platform would be a second secret.
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(queue_worker.app)
if os.environ.get(f"{upload_reader.CONNECTION}__queueServiceUri"):
    # Only where manifests may be uploaded is there a queue that tells of them.
    app.register_functions(upload_reader.app)
logger = logging.getLogger("firstlight")
logger.setLevel(logging.INFO)


@cache
def service() -> tuple[Interop, float]:
    settings, registry = Settings.from_env(os.environ), clients.registry()
    interop = interop_from(
        settings, registry, now=lambda: datetime.now(UTC), overflow=clients.queue(), inspector=registry
    )
    return interop, settings.deadline


@app.route(route="{*path}")
async def interop(req: func.HttpRequest) -> func.HttpResponse:
    started, request, failure = time.perf_counter(), Request("?", "?", {}), None
    try:
        request = _unwrap(req)
        core, deadline = service()
        reply: Reply = await core.answer(request, deadline=asyncio.get_running_loop().time() + deadline)
    except Exception as e:  # noqa: BLE001 -- the caller must have JSON, and the log no body
        reply, failure = error_reply(500, "Internal error"), e
    record = telemetry.Record(request, reply, uuid4().hex, time.perf_counter() - started, failure)
    for line in telemetry.lines(record, clients.source(), datetime.now(UTC)):
        logger.info("%s", line)
    return func.HttpResponse(reply.body, status_code=reply.status, headers=dict(reply.headers))


def _unwrap(req: func.HttpRequest) -> Request:
    headers = {name.lower(): value for name, value in req.headers.items()}
    return Request(req.method, urlsplit(req.url).path, headers, req.get_body())
