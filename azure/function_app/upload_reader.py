"""
An Azure Function behind the container of manifests: unwrap the event, let the core queue the devices, log the counts.
"""

import asyncio
import json
import logging
import os
import re
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

import app_clients as clients
import azure.functions as func

from firstlight import telemetry
from firstlight.endpoint import admission_from
from firstlight.importing.azure_blobs import blobs_from
from firstlight.importing.objects import Object
from firstlight.importing.upload import Uploads, options_from
from firstlight.registries import azure_identity

# As the template names them: the queue that Event Grid tells, and the settings that say where it is and who asks.
QUEUE, CONNECTION = "uploads", "UploadsQueue"
# For one manifest; writing the report of what was not reached takes some of the rest that the host gives.
SECONDS = 200.0
_SUBJECT = re.compile(r"/blobServices/default/containers/(manifests)/blobs/(.+)")

app = func.Blueprint()
logger = logging.getLogger("firstlight")


@cache
def service() -> Uploads:
    settings, queue = clients.settings(), clients.queue()
    assert queue is not None  # noqa: S101 -- the template gives the app both or neither
    admission, refusal = admission_from(settings), azure_identity.refusal
    blobs, options, now = blobs_from(settings, os.environ), options_from(settings), lambda: datetime.now(UTC)
    return Uploads(objects=blobs, queue=queue, admission=admission, refusal=refusal, options=options, now=now)


@app.queue_trigger(arg_name="message", queue_name=QUEUE, connection=CONNECTION)
async def uploads(message: func.QueueMessage) -> None:
    try:
        # Of the event only the subject counts: where the account is, the settings say.
        container, name = _SUBJECT.fullmatch(json.loads(message.get_body())["subject"]).groups()
        settings, deadline = clients.settings(), asyncio.get_running_loop().time() + SECONDS
        to = f"azure:{_region()}:{settings.hub}"
        tally = await service().take(Object("", f"{container}/{name}"), to=to, deadline=deadline)
        counts = {"manifest": telemetry.short(name), "queued": tally.queued, "errors": tally.failed}
        logger.info("%s", telemetry.event_line("manifest", counts))
    except Exception as e:  # noqa: BLE001 -- the host must keep the message, and its log nothing of a manifest
        logger.info("%s", telemetry.failure_line(e, request_id=uuid4().hex))
        raise RuntimeError("The message stays in the queue.") from None


def _region() -> str:
    # Azure says it as people do, West Europe; `firstlight import` knows its own destination as regions.toml has it.
    return os.environ.get("REGION_NAME", "").replace(" ", "").lower()
