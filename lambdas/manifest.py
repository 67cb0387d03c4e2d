"""
AWS Lambda behind the bucket of manifests: unwrap the event, let the core queue the devices, log what became of them.
"""

import asyncio
import os
from functools import cache
from typing import Any

from firstlight import telemetry
from firstlight.endpoint import admission_from
from firstlight.importing.objects import Object
from firstlight.importing.s3 import S3
from firstlight.importing.upload import Uploads, options_from
from firstlight.queues.sqs_environment import queue_from
from firstlight.registries import aws_name
from firstlight.registries.aws_credentials import environment_credentials
from firstlight.settings import Settings
from lambdas import invocation

# Seconds of an invocation kept for what was not reached, and for writing the report.
_MARGIN = 120.0


@cache
def service() -> Uploads:
    settings = Settings.from_env(os.environ, answers=False)
    return Uploads(
        objects=S3(
            region=os.environ["AWS_REGION"],
            credentials=environment_credentials(os.environ),
            endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        ),
        queue=queue_from(settings, os.environ),
        admission=admission_from(settings),
        # the worker gives things no type either
        refusal=aws_name.refusal,
        options=options_from(settings),
        now=invocation.now,
    )


def handler(event: dict[str, Any], context: Any) -> None:
    # as EventBridge tells of it: the key is not encoded
    manifest = Object(event["detail"]["bucket"]["name"], event["detail"]["object"]["key"])
    if manifest.key.endswith("/"):
        return  # a folder, as consoles make them
    # arn:aws:lambda:REGION:ACCOUNT:function:NAME
    region, account = context.invoked_function_arn.split(":")[3:5]
    try:
        invocation.runner.run(_taken(manifest, f"aws:{region}:{account}", context))
    except Exception as e:
        invocation.log([telemetry.failure_line(e, request_id=context.aws_request_id)])
        raise


async def _taken(manifest: Object, to: str, context: Any) -> None:
    deadline = asyncio.get_running_loop().time() + invocation.seconds_left(context) - _MARGIN
    tally = await service().take(manifest, to=to, deadline=deadline)
    counts = {"manifest": manifest.key, "queued": tally.queued, "errors": tally.failed}
    invocation.log([telemetry.event_line("manifest", counts)])
