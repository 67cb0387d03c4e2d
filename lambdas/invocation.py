"""
What the functions share: one event loop, the time, an invocation's log.
"""

import asyncio
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from firstlight.telemetry import Source

# One event loop for the life of the process: the registry's connections belong to it.
runner = asyncio.Runner()


def now() -> datetime:
    return datetime.now(UTC)


def seconds_left(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000


def source(context: Any) -> Source:
    return Source(region=os.environ.get("AWS_REGION", ""), function=context.function_name)


def log(lines: Iterable[str]) -> None:
    print("\n".join(lines))  # noqa: T201 -- a Lambda's log is its stdout
