"""
AWS Lambda behind a topic rule: counts how often a certificate connects that is PENDING_ACTIVATION, and tells of those
that do not come in.
"""

import asyncio
import os
from functools import cache
from typing import Any

from firstlight import telemetry
from firstlight.first_connect import event, report
from firstlight.first_connect.environment import stuck_devices_from
from firstlight.first_connect.stuck import StuckDevices
from lambdas import invocation

# Seconds of an invocation kept for the log.
_MARGIN = 1.0


@cache
def stuck_devices() -> StuckDevices:
    return stuck_devices_from(os.environ)


def handler(payload: dict[str, Any], context: Any) -> None:
    try:
        registered = event.read(payload)
        is_stuck = invocation.runner.run(_seen(registered, invocation.seconds_left(context) - _MARGIN))
    except Exception as e:
        # Raised again, so that Lambda tries again, and then leaves the event in the dead-letter queue.
        invocation.log([telemetry.failure_line(e, request_id=context.aws_request_id)])
        raise
    if is_stuck:
        source = invocation.source(context)
        known = {"connects": stuck_devices().limit, "request_id": context.aws_request_id}
        lines = report.of_stuck(registered, **known, source=source, now=invocation.now())
        invocation.log(lines)


async def _seen(registered: event.Registered, seconds_left: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds_left
    return await stuck_devices().seen(registered, now=invocation.now().timestamp(), deadline=deadline)
