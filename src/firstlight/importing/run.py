"""
The import itself: records in, a few hundred devices at a time, a report out.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from firstlight import certificates
from firstlight.errors import CertificateError, FirstlightError, QueuedError
from firstlight.importing.landing import Landed, Landing
from firstlight.importing.private_keys import holds_private_key
from firstlight.importing.report import Report, Row
from firstlight.manifests import Record
from firstlight.manifests.report import DONE, NOT_DONE, QUEUED

# How often a record is tried in one run.
_ATTEMPTS = 4
_LONGEST_PAUSE = 20.0
_EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """
    The devices of one run so far: done now, done before, queued, and not done, with the first few of these.
    """

    done: int = 0
    before: int = 0
    queued: int = 0
    failed: int = 0
    examples: list[Row] = field(default_factory=list)

    @property
    def finished(self) -> int:
        return self.done + self.before + self.queued + self.failed


Heard = Callable[[Tally], None]


async def run(
    records: Iterator[Record], landing: Landing, report: Report, *, heard: Heard, stop: asyncio.Event
) -> Tally:
    """
    Land every record that the report does not have as done; write a row for each as soon as it is known.

    *heard* is told after each slice.  Once *stop* is set nothing new is begun, and what is in flight is finished.
    """
    importing = _Import(records, landing, report, heard, stop)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(landing.pace.abreast):
                group.create_task(importing.work())
    except ExceptionGroup as e:
        raise e.exceptions[0] from None
    finally:
        importing.give_up()
    return importing.tally


@dataclass(frozen=True, slots=True)
class _Item:
    record: Record
    fingerprint: str
    der: bytes
    error: FirstlightError | None = None
    tried: int = 0


class _Import:
    def __init__(
        self, records: Iterator[Record], landing: Landing, report: Report, heard: Heard, stop: asyncio.Event
    ) -> None:
        self._records = records
        self._landing = landing
        self._report = report
        self._heard = heard
        self._stop = stop
        self._reading = asyncio.Lock()
        self._again: deque[_Item] = deque()
        self._ended = False
        self.tally = Tally()

    async def work(self) -> None:
        while not self._stop.is_set() and (items := await self._next()):
            if (tried := max(item.tried for item in items)) and await self._stopped_within(tried):
                self._again.extend(items)
                return
            good = [item for item in items if item.error is None or item.tried]
            landed = dict(zip(map(id, good), await self._landing.land([i.record for i in good]), strict=True))
            self._settle(items, [landed.get(id(item)) or Landed(error=item.error) for item in items])

    async def _next(self) -> list[_Item]:
        async with self._reading:
            # unpacking and checking signatures takes its time, in which devices in flight go on
            items = [] if self._ended else await asyncio.to_thread(self._read)
        if not items:
            items = [self._again.popleft() for _ in range(min(self._landing.pace.slice, len(self._again)))]
        return items

    def _read(self) -> list[_Item]:
        items: list[_Item] = []
        while len(items) < self._landing.pace.slice:
            record = next(self._records, None)
            if record is None:
                self._ended = True
                break
            item = _item(record)
            if self._report.has_done(record.ref, record.source, item.fingerprint):
                self.tally.before += 1
            else:
                items.append(item)
        return items

    async def _stopped_within(self, tried: int) -> bool:
        try:
            async with asyncio.timeout(min(_LONGEST_PAUSE, 2.0 ** (tried - 1))):
                return await self._stop.wait()
        except TimeoutError:
            return False

    def _settle(self, items: Sequence[_Item], landed: Sequence[Landed]) -> None:
        rows = []
        for item, result in zip(items, landed, strict=True):
            if result.again and item.tried + 1 < _ATTEMPTS:
                self._again.append(_Item(item.record, item.fingerprint, item.der, result.error, item.tried + 1))
            else:
                rows.append(_row(item, result))
        self._write(rows)

    def give_up(self) -> None:
        """
        Write what would have been tried again as it was last answered.
        """
        self._write([_row(item, Landed(error=item.error)) for item in self._again])

    def _write(self, rows: Sequence[Row]) -> None:
        self._report.write(rows)
        counts = Counter(row.status for row in rows)
        self.tally.done += counts[DONE]
        self.tally.queued += counts[QUEUED]
        self.tally.failed += counts[NOT_DONE]
        room = _EXAMPLES - len(self.tally.examples)
        self.tally.examples += [row for row in rows if row.status == NOT_DONE][:room]
        self._heard(self.tally)


def _item(record: Record) -> _Item:
    if record.error is not None:
        return _Item(record, "", b"", record.error)
    try:
        certificate = certificates.load(record.certificate)
    except CertificateError as e:
        return _unread(record, e)
    except Exception:  # noqa: BLE001 -- whatever a certificate does to its reader, its neighbours are imported
        return _unread(record, CertificateError("Cannot decode certificate: it cannot be read."))
    return _Item(record, certificate.fingerprint, certificate.der)


def _unread(record: Record, error: CertificateError) -> _Item:
    # what is kept for the next try comes into the report, which goes where certificates may
    return _Item(record, "", b"" if holds_private_key(record.certificate) else record.certificate, error)


def row_of(record: Record, error: FirstlightError) -> Row:
    """
    Return the row of a *record* that was not tried because of *error*.
    """
    item = _item(record)
    return _row(item, Landed(error=item.error or error))


def _row(item: _Item, landed: Landed) -> Row:
    error = landed.error
    return Row(
        ref=item.record.ref,
        source=item.record.source,
        status=QUEUED if isinstance(error, QueuedError) else NOT_DONE if error else DONE,
        name=landed.name,
        fingerprint=item.fingerprint,
        message=str(error) if error else "",
        attributes=item.record.attributes,
        certificate=item.der,
    )
