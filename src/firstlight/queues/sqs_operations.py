"""
The operations of SQS that a queue of devices takes, as requests.

Shapes: botocore's service model `sqs/2012-11-05`, protocol AWS JSON 1.0.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from firstlight.registries.aws_operations import Call

# Of entries in one request.
BATCH = 10
# The attribute of a message that says how often it was delivered, this time included.
DELIVERIES = "ApproximateReceiveCount"


class SqsOperation(StrEnum):
    """
    What firstlight calls of SQS.
    """

    SEND = "SendMessageBatch"
    RECEIVE = "ReceiveMessage"
    DELETE = "DeleteMessageBatch"
    CHANGE_VISIBILITY = "ChangeMessageVisibilityBatch"

    @property
    def service(self) -> str:
        return "Amazon SQS"

    @property
    def action(self) -> str:
        # A batch is allowed by the action of its entries.
        return f"sqs:{self.removesuffix('Batch')}"


def send(queue_url: str, bodies: Mapping[str, str]) -> Call:
    """
    Send *bodies*, by the id that the answer has for each.
    """
    return _call(SqsOperation.SEND, queue_url, Entries=[{"Id": i, "MessageBody": body} for i, body in bodies.items()])


def receive(queue_url: str, *, seconds: int) -> Call:
    """
    Take up to ten messages, waiting for the first one for up to *seconds* (20 at most).
    """
    return _call(
        SqsOperation.RECEIVE,
        queue_url,
        MaxNumberOfMessages=BATCH,
        WaitTimeSeconds=seconds,
        MessageSystemAttributeNames=[DELIVERIES],
    )


def delete(queue_url: str, receipts: Sequence[str]) -> Call:
    return _call(
        SqsOperation.DELETE, queue_url, Entries=[{"Id": str(i), "ReceiptHandle": r} for i, r in enumerate(receipts)]
    )


def change_visibility(queue_url: str, seconds: Mapping[str, int]) -> Call:
    """
    Let messages come again after so many *seconds*, by their receipts.
    """
    entries = [
        {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": later}
        for i, (receipt, later) in enumerate(seconds.items())
    ]
    return _call(SqsOperation.CHANGE_VISIBILITY, queue_url, Entries=entries)


def _call(operation: SqsOperation, queue_url: str, **members: Any) -> Call:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    body = json.dumps({"QueueUrl": queue_url, **members}, separators=(",", ":")).encode()
    return Call(operation, "POST", "/", headers=headers, body=body)
