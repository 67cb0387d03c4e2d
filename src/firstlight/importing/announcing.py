"""
Announce the devices of manifests to a region with an allow-list, or withdraw them.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from firstlight import certificates
from firstlight.errors import FirstlightError, ManifestError, UnfinishedError
from firstlight.identity import NamingRule
from firstlight.jitp import names
from firstlight.manifests import Record
from firstlight.registries.aws_announcements import Announcement, Announcements

# Records in memory at once, and the seconds DynamoDB has for them.
_PORTION = 1_000
_PATIENCE = 60.0


class Status(StrEnum):
    """
    What became of one record.
    """

    ANNOUNCED = "ANNOUNCED"
    WITHDRAWN = "WITHDRAWN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One record: its certificate's fingerprint and the name it was announced with, if any, or why there is none.
    """

    ref: str
    source: str
    status: Status
    fingerprint: str = ""
    name: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """
    How records become announcements: until when (seconds since the epoch), and named by *rule*; without one the
    region's template names them.  *withdraw* takes announcements back instead.
    """

    now: Callable[[], datetime]
    rule: NamingRule | None = None
    expires: int | None = None
    withdraw: bool = False

    async def run(
        self, records: Iterable[Record], announcements: Announcements, *, heard: Callable[[int], None] = lambda _: None
    ) -> list[Row]:
        """
        Return a row for each of *records*, in order; *heard* is told how many more are done.

        Raises:
            RegistryError: none of the first portion could be written, and trying again would not help.
        """
        rows: list[Row] = []
        waiting = iter(records)
        while portion := list(islice(waiting, _PORTION)):
            rows += await self._portion(portion, announcements, first=not rows)
            heard(len(portion))
        return rows

    async def _portion(self, records: Sequence[Record], announcements: Announcements, *, first: bool) -> list[Row]:
        read = [self._read(record) for record in records]
        wanted = [found for found in read if isinstance(found, Announcement)]
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        if self.withdraw:
            written = await announcements.withdraw((a.fingerprint for a in wanted), deadline=deadline)
        else:
            written = await announcements.announce(wanted, deadline=deadline)
        refused = [e for e in written.values() if e is not None and not isinstance(e, UnfinishedError)]
        if first and refused and len(refused) == len(written):
            raise refused[0]
        return list(self._rows(records, read, written))

    def _read(self, record: Record) -> Announcement | FirstlightError:
        if record.error is not None:
            return record.error
        try:
            leaf = certificates.load(record.certificate)
            if not self.withdraw:
                leaf.require_device_leaf(self.now())
            name = self.rule.name(leaf) if self.rule else ""
            if not self.withdraw:
                _require_taken(name, record)
        except FirstlightError as e:
            return e
        return Announcement(fingerprint=leaf.fingerprint, name=name, attributes=record.attributes, expires=self.expires)

    def _rows(
        self,
        records: Sequence[Record],
        read: Sequence[Announcement | FirstlightError],
        written: dict[str, FirstlightError | None],
    ) -> Iterator[Row]:
        done = Status.WITHDRAWN if self.withdraw else Status.ANNOUNCED
        for record, found in zip(records, read, strict=True):
            if isinstance(found, FirstlightError):
                yield Row(record.ref, record.source, Status.ERROR, message=str(found))
                continue
            error = written[found.fingerprint]
            yield Row(
                record.ref,
                record.source,
                Status.ERROR if error else done,
                found.fingerprint,
                found.name,
                str(error) if error else "",
            )


def _require_taken(name: str, record: Record) -> None:
    """
    Raises:
        ManifestError: AWS IoT takes no such name or attribute, so the device would be refused whenever it connects.
    """
    if name and not names.is_thing_name(name):
        raise ManifestError(
            f"{name[:140]!r} is no thing name.",
            hint="AWS IoT takes 1 to 128 of a-z A-Z 0-9 : _ -; choose another naming rule or prefix.",
        )
    for attribute, value in record.attributes:
        if not (names.is_attribute_name(attribute) and names.is_attribute_value(value)):
            raise ManifestError(f"AWS IoT does not take {value[:80]!r} as the attribute {attribute[:140]!r}.")
