"""
AWS Lambda behind a topic rule, in a region with an allow-list: a certificate that AWS IoT registered by itself
becomes a device if it was announced.
"""

import asyncio
import os
from functools import cache
from typing import Any

from firstlight import telemetry
from firstlight.first_connect import event, report
from firstlight.first_connect.allow_list import AllowList, Verdict
from firstlight.first_connect.environment import allow_list_from
from lambdas import invocation

# Seconds of an invocation kept for the log.
_MARGIN = 1.0


@cache
def allow_list() -> AllowList:
    return allow_list_from(os.environ, now=invocation.now)


def handler(payload: dict[str, Any], context: Any) -> None:
    try:
        registered = event.read(payload)
        verdict = invocation.runner.run(_admit(registered, invocation.seconds_left(context) - _MARGIN))
    except Exception as e:
        # Raised again, so that Lambda tries again, and then leaves the event in the dead-letter queue.
        invocation.log([telemetry.failure_line(e, request_id=context.aws_request_id)])
        raise
    source = invocation.source(context)
    lines = report.of_verdict(
        registered, verdict, request_id=context.aws_request_id, source=source, now=invocation.now()
    )
    invocation.log(lines)


async def _admit(registered: event.Registered, seconds_left: float) -> Verdict:
    return await allow_list().admit(registered, deadline=asyncio.get_running_loop().time() + seconds_left)
