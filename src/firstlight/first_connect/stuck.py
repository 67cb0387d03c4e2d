"""
Devices that connect again and again and stay PENDING_ACTIVATION: counted, and told once an hour.

A table keeps, per certificate, when it was seen within an hour of its first connect.  A device that is provisioned
just in time is seen once or twice; what is seen more often, and is PENDING_ACTIVATION still, does not come in.
"""

from dataclasses import dataclass
from typing import Any

from firstlight.errors import UnfinishedError
from firstlight.first_connect.event import PENDING, Registered
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_dynamodb import DynamoDb, DynamoOperation, refused

KEY, EXPIRES = "certificateId", "expires"
# Seconds.
WINDOW = 3_600
_OPEN = f"attribute_not_exists({EXPIRES}) OR ({EXPIRES} > :now AND size(seen) < :limit)"
_COUNT = f"SET caCertificateId = :ca, {EXPIRES} = if_not_exists({EXPIRES}, :end) ADD seen :one"
_BEGIN = f"SET caCertificateId = :ca, {EXPIRES} = :end, seen = :one"


@dataclass(frozen=True, slots=True)
class StuckDevices:
    """
    Counts connects in *table*; *limit* of them within an hour are too many.
    """

    dynamodb: DynamoDb
    calls: AwsCalls
    table: str
    limit: int

    async def seen(self, event: Registered, *, now: float, deadline: float) -> bool:
        """
        Count the connect of *event* at *now* (seconds since the epoch); return whether its device is stuck, as of now.

        True is said once in an hour and device.  An event that comes twice counts once: its timestamp says so.

        Raises:
            RegistryError: AWS refused a call, failed, or was not done by *deadline* (the running loop's clock).
        """
        values: dict[str, Any] = {
            ":ca": {"S": event.ca_id},
            ":end": {"N": str(int(now) + WINDOW)},
            ":now": {"N": str(int(now))},
            ":one": {"NS": [str(event.timestamp)]},
        }
        request = {
            "TableName": self.table,
            "Key": {KEY: {"S": event.certificate_id}},
            "ExpressionAttributeValues": values | {":limit": {"N": str(self.limit)}},
            "ConditionExpression": _OPEN,
            "UpdateExpression": _COUNT,
            "ReturnValues": "ALL_NEW",
        }
        counted = await self.dynamodb.ask(DynamoOperation.UPDATE_ITEM, self.table, request, deadline=deadline)
        if not refused(counted):
            times = counted.document().get("Attributes", {}).get("seen", {}).get("NS", ())
            return len(times) >= self.limit and await self._waits(event, deadline)
        # The hour is over, or it was told in this one; DynamoDB takes days to remove what has expired.
        begin = request | {
            "ExpressionAttributeValues": values,
            "ConditionExpression": f"{EXPIRES} <= :now",
            "UpdateExpression": _BEGIN,
        }
        await self.dynamodb.ask(DynamoOperation.UPDATE_ITEM, self.table, begin, deadline=deadline)
        return False

    async def _waits(self, event: Registered, deadline: float) -> bool:
        # Events come late as well: only one that is still outside is stuck.
        try:
            answer = await self.calls(aws_operations.describe_certificate(event.certificate_id), Turn(deadline))
        except UnfinishedError:
            # It is counted, so this is the hour's only occasion: rather one alarm too many.
            return True
        if not answer.ok and not answer.missing:
            raise aws_errors.refusal(answer)
        return answer.certificate_status == PENDING
