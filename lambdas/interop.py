"""
AWS Lambda behind an API Gateway REST proxy: unwrap the event, let the core answer, wrap the reply.
"""

import asyncio
import base64
import os
import time
from functools import cache
from typing import Any

from firstlight import telemetry
from firstlight.endpoint import interop_from
from firstlight.interop import Interop, Reply, Request, error_reply
from firstlight.queues.sqs_environment import queue_from
from firstlight.registries.aws_environment import registry_from
from firstlight.settings import Settings
from lambdas import invocation

# Seconds of an invocation kept for the reply and the log.
_MARGIN = 1.0


@cache
def service() -> tuple[Interop, float]:
    settings = Settings.from_env(os.environ)
    registry = registry_from(settings, os.environ)
    queue = queue_from(settings, os.environ) if settings.queue_url else None
    return interop_from(settings, registry, now=invocation.now, overflow=queue, inspector=registry), settings.deadline


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started, request, failure = time.perf_counter(), Request("?", "?", {}), None
    try:
        request = _unwrap(event)
        reply = invocation.runner.run(_answer(request, invocation.seconds_left(context) - _MARGIN))
    except Exception as e:  # noqa: BLE001 -- the gateway must have JSON, and the log no event
        reply, failure = error_reply(500, "Internal error"), e
    record = telemetry.Record(request, reply, context.aws_request_id, time.perf_counter() - started, failure)
    invocation.log(telemetry.lines(record, invocation.source(context), invocation.now()))
    return {"statusCode": reply.status, "headers": dict(reply.headers), "body": reply.body.decode()}


async def _answer(request: Request, seconds_left: float) -> Reply:
    interop, deadline = service()
    return await interop.answer(request, deadline=asyncio.get_running_loop().time() + min(deadline, seconds_left))


def _unwrap(event: dict[str, Any]) -> Request:
    several = event.get("multiValueHeaders") or {k: [v] for k, v in (event.get("headers") or {}).items()}
    headers = {name.lower(): ", ".join(values) for name, values in several.items()}
    body = event.get("body") or ""
    # half a surrogate is no UTF-8, which is for the core to say
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
    return Request(event["httpMethod"], event["path"], headers, raw)
