"""
SQS in this process: what the queue of a push and of a worker asks of it.
"""

import asyncio
import json
from typing import Any

from firstlight.registries.aws_operations import Call
from tests.faults import weather
from tests.faults.at_least_once import Queue
from tests.faults.weather import Weather

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/devices"
IN_PART = frozenset({weather.PARTIAL, weather.PARTIAL_LOST, weather.PARTIAL_TOLD})


def done(call: Call, queue: Queue, fault: str, conditions: Weather) -> dict[str, Any]:
    """
    Do *call* on *queue*, in part if that is the *fault*; return the answer's document.
    """
    asked = json.loads(call.body)
    if call.operation == "ReceiveMessage":
        taken = queue.take(asked["MaxNumberOfMessages"])
        return {"Messages": [{"ReceiptHandle": d.receipt, "Body": d.body} for d in taken]}
    entries = asked["Entries"]
    part = conditions.part(len(entries)) if fault in IN_PART else len(entries)
    for entry in entries[:part]:
        match call.operation:
            case "SendMessageBatch":
                queue.send(entry["MessageBody"])
            case "DeleteMessageBatch":
                queue.delete(entry["ReceiptHandle"])
            case _:
                queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"])
    failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in entries[part:]]
    return {"Successful": [{"Id": e["Id"]} for e in entries[:part]], **({"Failed": failed} if failed else {})}


async def listened(call: Call, queue: Queue, *, until: float) -> None:
    """
    Wait as long as a call that takes messages does for the first one.
    """
    if call.operation == "ReceiveMessage":
        left = until - asyncio.get_running_loop().time()
        await queue.arrival(min(json.loads(call.body)["WaitTimeSeconds"], left))
