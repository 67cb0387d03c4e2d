"""
SQS in this process: what the queue of a push and of a worker asks of it.
"""

import json
from typing import Any

from firstlight.registries.aws_operations import Call
from tests.faults import weather
from tests.faults.at_least_once import Queue
from tests.faults.weather import Weather

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/devices"
_IN_PART = frozenset({weather.PARTIAL, weather.PARTIAL_LOST, weather.PARTIAL_TOLD})


def done(call: Call, queue: Queue, fault: str, conditions: Weather) -> dict[str, Any]:
    """
    Do *call* on *queue*, in part if that is the *fault*; return the answer's document.
    """
    entries = json.loads(call.body)["Entries"]
    part = conditions.part(len(entries)) if fault in _IN_PART else len(entries)
    for entry in entries[:part]:
        if call.operation == "SendMessageBatch":
            queue.send(entry["MessageBody"])
        else:
            queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"])
    failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in entries[part:]]
    return {"Successful": [{"Id": e["Id"]} for e in entries[:part]], **({"Failed": failed} if failed else {})}
