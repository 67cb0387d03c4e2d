"""
The table of announced certificates: who may come in at the first connect, in a region that has an allow-list.

An announcement admits once.  It goes when its device is in, so the table holds who is still awaited, and a
device that was retired later is not let in by an old one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.errors import FirstlightError, UnfinishedError
from firstlight.identity import Attributes
from firstlight.registries import aws_errors
from firstlight.registries.aws_dynamodb import DynamoDb, DynamoOperation

# Of the JITP stack and of the ingest stack alike, which share nothing else.
TABLE = "FirstlightAnnouncements"
KEY, EXPIRES = "certificateId", "expires"
_NAME, _ATTRIBUTES = "thingName", "attributes"
# What BatchWriteItem takes.
_BATCH = 25
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """
    One certificate that is awaited: its fingerprint, until when (seconds since the epoch; None: for ever), and what
    its thing is called and has besides what the template says.
    """

    fingerprint: str
    name: str = ""
    attributes: Attributes = ()
    expires: int | None = None


class Announcements:
    """
    The announcements of one region, in *table*.

    *pause* is how long (seconds) it waits before it asks again for what DynamoDB left undone, doubled each time.
    """

    def __init__(self, dynamodb: DynamoDb, table: str, *, pause: float = 0.05) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._pause = pause

    async def announce(
        self, announcements: Sequence[Announcement], *, deadline: float
    ) -> dict[str, FirstlightError | None]:
        """
        Announce all, of two for one certificate the last; return, by fingerprint, None or why it is not certain.

        Raises nothing but cancellation; *deadline* is the running loop's clock in seconds.
        """
        return await self._write({a.fingerprint: {"PutRequest": {"Item": _item(a)}} for a in announcements}, deadline)

    async def withdraw(self, fingerprints: Iterable[str], *, deadline: float) -> dict[str, FirstlightError | None]:
        """
        Withdraw the announcements of these certificates, whether they were announced or not; answers as `announce`.
        """
        return await self._write({f: {"DeleteRequest": {"Key": _key(f)}} for f in fingerprints}, deadline)

    async def find(self, fingerprint: str, *, now: float, deadline: float) -> Announcement | None:
        """
        Return the announcement of a certificate that holds at *now* (seconds since the epoch), or None.

        Raises:
            RegistryError: DynamoDB refused, failed, or was not done in time.
        """
        request = {"TableName": self._table, "Key": _key(fingerprint), "ConsistentRead": True}
        answer = await self._dynamodb.ask(DynamoOperation.GET_ITEM, self._table, request, deadline=deadline)
        item = answer.document().get("Item")
        if not item:
            return None
        found = _announcement(item)
        # DynamoDB takes days to remove what has expired.
        return None if found.expires is not None and found.expires <= now else found

    async def redeem(self, fingerprint: str, *, deadline: float) -> None:
        """
        The device is in: its announcement has done its work.

        Raises:
            RegistryError: as `find`.
        """
        request = {"TableName": self._table, "Key": _key(fingerprint)}
        await self._dynamodb.ask(DynamoOperation.DELETE_ITEM, self._table, request, deadline=deadline)

    async def _write(
        self, requests: Mapping[str, Mapping[str, Any]], deadline: float
    ) -> dict[str, FirstlightError | None]:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def write(batch: Sequence[str]) -> dict[str, FirstlightError | None]:
            async with slots:
                return await self._write_batch({f: requests[f] for f in batch}, deadline)

        all_of_them = list(requests)
        starts = range(0, len(all_of_them), _BATCH)
        batches = await asyncio.gather(*(write(all_of_them[at : at + _BATCH]) for at in starts))
        return {fingerprint: error for batch in batches for fingerprint, error in batch.items()}

    async def _write_batch(
        self, requests: Mapping[str, Mapping[str, Any]], deadline: float
    ) -> dict[str, FirstlightError | None]:
        left, loop, pause = dict(requests), asyncio.get_running_loop(), self._pause
        error: FirstlightError = UnfinishedError("DynamoDB was not done in time.", hint="Announce again.")
        while left and loop.time() < deadline:
            request = {"RequestItems": {self._table: list(left.values())}}
            try:
                answer = await self._dynamodb.ask(
                    DynamoOperation.BATCH_WRITE_ITEM, self._table, request, deadline=deadline
                )
                undone = {_fingerprint(r) for r in answer.document().get("UnprocessedItems", {}).get(self._table, ())}
            except FirstlightError as e:
                error = e
                break
            except Exception as e:  # noqa: BLE001 -- a surprise must not cost a push the answers of its devices
                error = aws_errors.of_a_table(aws_errors.surprising(e), self._table)
                error.__cause__ = e
                break
            left = {f: r for f, r in left.items() if f in undone}
            if left:
                await asyncio.sleep(max(0.0, min(pause, deadline - loop.time())))
                pause *= 2
        return {f: error if f in left else None for f in requests}


def _key(fingerprint: str) -> dict[str, Any]:
    return {KEY: {"S": fingerprint}}


def _item(announcement: Announcement) -> dict[str, Any]:
    item = _key(announcement.fingerprint)
    if announcement.name:
        item[_NAME] = {"S": announcement.name}
    if announcement.attributes:
        item[_ATTRIBUTES] = {"M": {name: {"S": value} for name, value in announcement.attributes}}
    if announcement.expires is not None:
        item[EXPIRES] = {"N": str(announcement.expires)}
    return item


def _announcement(item: Mapping[str, Any]) -> Announcement:
    attributes = item.get(_ATTRIBUTES, {}).get("M", {})
    return Announcement(
        fingerprint=item[KEY]["S"],
        name=item.get(_NAME, {}).get("S", ""),
        attributes=tuple((name, str(value.get("S", ""))) for name, value in attributes.items()),
        expires=int(float(item[EXPIRES]["N"])) if EXPIRES in item else None,
    )


def _fingerprint(request: Mapping[str, Any]) -> str:
    what = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
    return str(what[KEY]["S"])
