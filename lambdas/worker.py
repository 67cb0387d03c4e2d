"""
AWS Lambda behind the SQS queue of unfinished devices: unwrap the batch, let the core work, say what goes back.
"""

import asyncio
import os
import time
from functools import cache
from typing import Any

from firstlight import telemetry
from firstlight.backlog import Message, Source, Worked, work
from firstlight.endpoint import admission_from
from firstlight.provision import Admission, Registry
from firstlight.queues.sqs import deliveries
from firstlight.queues.sqs_environment import queue_from
from firstlight.registries.aws_environment import registry_from
from firstlight.settings import Settings
from lambdas import invocation

# Seconds of an invocation kept for giving messages back and for the log.
_MARGIN = 8.0


@cache
def service() -> tuple[Registry, Admission, Source]:
    settings = Settings.from_env(os.environ, answers=False)
    registry = registry_from(settings, os.environ, eager=True)
    return registry, admission_from(settings), queue_from(settings, os.environ)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started, request_id = time.perf_counter(), context.aws_request_id
    ids = {record["receiptHandle"]: record["messageId"] for record in event["Records"]}
    try:
        messages = [_message(record) for record in event["Records"]]
        worked = invocation.runner.run(_work(messages, invocation.seconds_left(context) - _MARGIN, request_id))
    except Exception as e:  # noqa: BLE001 -- whatever it is, no device is lost: all of them come again
        invocation.log([telemetry.failure_line(e, request_id=request_id)])
        return {"batchItemFailures": [{"itemIdentifier": i} for i in ids.values()]}
    seconds, where = time.perf_counter() - started, invocation.source(context)
    invocation.log(telemetry.work_lines(worked, where, invocation.now(), request_id=request_id, seconds=seconds))
    return {"batchItemFailures": [{"itemIdentifier": ids[message.handle]} for message in worked.again]}


async def _work(messages: list[Message], seconds_left: float, request_id: str) -> Worked:
    registry, admission, queue = service()
    deadline = asyncio.get_running_loop().time() + seconds_left
    worked = await work(messages, registry, admission=admission, now=invocation.now, deadline=deadline)
    try:
        await queue.again(worked.again)
    except Exception as e:  # noqa: BLE001 -- they come later, then; nothing of the batch is undone
        invocation.log([telemetry.failure_line(e, request_id=request_id)])
    return worked


def _message(record: dict[str, Any]) -> Message:
    return Message.of(record["receiptHandle"], record["body"], deliveries=deliveries(record.get("attributes")))
