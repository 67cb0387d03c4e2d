"""
An Azure Function behind the queue of unfinished devices: unwrap the message, let the core work, put the rest back.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

import app_clients as clients
import azure.functions as func

from firstlight import telemetry
from firstlight.backlog import Message, Source, work
from firstlight.endpoint import admission_from
from firstlight.provision import Admission, Registry

# As the template names them: the queue, and the settings that say where it is and who asks.
QUEUE, CONNECTION = "devices", "DevicesQueue"
# For one message: less than the host's functionTimeout, with time for putting back, and than the ten minutes for
# which the host hides a message.
SECONDS = 240.0

app = func.Blueprint()
logger = logging.getLogger("firstlight")


@cache
def service() -> tuple[Registry, Admission, Source]:
    return clients.registry(), admission_from(clients.settings()), clients.backlog()


@app.queue_trigger(arg_name="message", queue_name=QUEUE, connection=CONNECTION)
async def worker(message: func.QueueMessage) -> None:
    started, request_id = time.perf_counter(), uuid4().hex
    try:
        registry, admission, backlog = service()
        asked = Message.of("", message.get_body().decode(errors="replace"))
        deadline = asyncio.get_running_loop().time() + SECONDS
        worked = await work([asked], registry, admission=admission, now=lambda: datetime.now(UTC), deadline=deadline)
        # The host deletes the message when this function returns, and only then.
        await backlog.again(worked.again)
    except Exception as e:  # noqa: BLE001 -- the host must keep the message, and its log no certificate
        logger.info("%s", telemetry.failure_line(e, request_id=request_id))
        raise RuntimeError("The message stays in the queue.") from None
    seconds, now = time.perf_counter() - started, datetime.now(UTC)
    for line in telemetry.work_lines(worked, clients.source(), now, request_id=request_id, seconds=seconds):
        logger.info("%s", line)
