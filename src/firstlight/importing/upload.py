"""
A manifest that somebody put into a bucket: read, queued device by device, reported beside it.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

from firstlight import certificates
from firstlight.errors import CertificateError, FirstlightError, NotAttemptedError, SettingsError
from firstlight.importing.landing import QueueLanding, Refusal
from firstlight.importing.objects import Object, Objects
from firstlight.importing.report import Report, Row
from firstlight.importing.run import Tally, row_of, run
from firstlight.manifests import Options, Record, read
from firstlight.manifests.attributes import Wanted
from firstlight.manifests.record import one_line
from firstlight.manifests.report import NOT_DONE
from firstlight.overflow import Overflow
from firstlight.provision import Admission
from firstlight.settings import Settings

MANIFESTS, REPORTS = "manifests/", "reports/"
_Error = TypeVar("_Error", bound=FirstlightError)
# What the function's scratch space has room for beside what is unpacked of it.
_MAX_MANIFEST = 2**30
# Rows written at once of what was not tried.
_ROWS = 1000
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """
    What takes an upload: the bucket's objects, the queue, who may be let in and whom the cloud behind the queue would
    never take, how manifests are read.
    """

    objects: Objects
    queue: Overflow
    admission: Admission
    refusal: Refusal
    options: Options
    now: Callable[[], datetime]

    async def take(self, of: Object, *, to: str, deadline: float) -> Tally:
        """
        Queue the devices of the manifest *of* and write its report; end by *deadline* (the loop's clock, seconds).

        *to* is what the report says of where it went, as `firstlight import` writes it.  What there was no time
        for is in the report too.

        Raises:
            FirstlightError: there is no report: the bucket would not take it.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.csv"
            tally = await self._queued(of, report, to=to, deadline=deadline)
            await self.objects.upload(Object(of.bucket, f"{REPORTS}{of.key.removeprefix(MANIFESTS)}.csv"), report)
            return tally

    async def _queued(self, of: Object, path: Path, *, to: str, deadline: float) -> Tally:
        landing = QueueLanding(self.queue, self.admission, refusal=self.refusal, now=self.now)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        alarm = loop.call_at(deadline, stop.set)
        tally = Tally()
        with Report(path, to=to) as report:
            try:
                manifest = _place_for(of, path.parent / "manifests")
                await self.objects.download(of, manifest, limit=_MAX_MANIFEST)
                records = _told_of(of, manifest, read([manifest], self.options))
                if loop.time() >= deadline:
                    stop.set()
                tally = await run(records, landing, report, heard=lambda _: None, stop=stop)
                tally.failed += _leave(records, report)
            except FirstlightError as e:
                report.write([Row(ref="", source=one_line(of.key), status=NOT_DONE, message=str(e))])
                tally.failed += 1
            finally:
                alarm.cancel()
        return tally


def _place_for(of: Object, folder: Path) -> Path:
    # sources are told by the file's own name
    folder.mkdir()
    return folder / (one_line(PurePosixPath(of.key).name)[-_LONGEST_NAME:].strip(". ") or "manifest")


def _told_of(of: Object, place: Path, records: Iterator[Record]) -> Iterator[Record]:
    """
    Yield *records*; what is wrong with them is said of the object, not of the scratch file at *place*.
    """

    def said(error: _Error) -> _Error:
        return type(error)(error.message.replace(str(place), one_line(of.key)), hint=error.hint)

    try:
        for record in records:
            yield replace(record, error=said(record.error)) if record.error else record
    except FirstlightError as e:
        raise said(e) from e


def options_from(settings: Settings) -> Options:
    """
    Read the signers that *settings* names, and which columns become attributes.

    Raises:
        SettingsError: the file of signers cannot be used.
    """
    signers: tuple[certificates.Certificate, ...] = ()
    if settings.manifest_signers_file:
        try:
            signers = tuple(certificates.load_all(Path(settings.manifest_signers_file).read_bytes()))
        except (OSError, CertificateError) as e:
            raise SettingsError(f"The manifest signers file cannot be used: {e}") from e
    names = filter(None, settings.manifest_attributes.split(","))
    return Options(signers=signers, attributes=tuple(map(Wanted.parse, names)))


def _leave(records: Iterator[Record], report: Report) -> int:
    count = 0
    late = NotAttemptedError("Not queued: the manifest's time was over.", hint="Import this report.")
    while rows := [row_of(record, late) for record in islice(records, _ROWS)]:
        report.write(rows)
        count += len(rows)
    return count
