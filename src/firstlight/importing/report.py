"""
The report of an import: one row per device, written as it goes, and where the next run goes on.
"""

import base64
import csv
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from firstlight.errors import ReportError, UsageError
from firstlight.identity import Attributes
from firstlight.manifests.csv_rows import MAX_CELL
from firstlight.manifests.record import one_line
from firstlight.manifests.report import COLUMNS, DONE, quoted

_OTHER = "Name another file with --report."
_BY_HAND = "is no report of an import, or was changed by hand."
_FINGERPRINT_OF = re.compile("[0-9a-fA-F]{64}")
# Of what is no certificate, as much is kept for the next try.
_MAX_CERTIFICATE = 64 * 2**10
# Of what a server said of it.
_MAX_MESSAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    What became of one device: its status is SUCCESS, QUEUED or ERROR.

    `certificate` is DER; `fingerprint` is empty if it is none.
    """

    ref: str
    source: str
    status: str
    name: str = ""
    fingerprint: str = ""
    message: str = ""
    attributes: Attributes = ()
    certificate: bytes = b""


class Report:
    """
    The report at *path* of an import to *to*, opened for one run; what is in it already stays.

    A device is known by its ref, its place in the manifest and its certificate: a later row of the same replaces
    the earlier one when the report is closed, and one with a certificate that of its place without.  So a manifest
    of the same file name, or of re-issued certificates, adds rows and takes none away.  A report without rows is
    removed.  Each row is one line, so what a killed run left half written is found and dropped.

    Raises:
        UsageError: the file cannot be written, is another destination's, or no report; or another run has it.
    """

    def __init__(self, path: Path, *, to: str) -> None:
        self.path = path
        self._to = to
        # whether each is done; digests, not texts: a million rows have to fit
        self._devices: dict[bytes, bool] = {}
        self._done = 0
        self._replaced = False
        self._failed = False
        try:
            self._file = path.open("a+b")
        except OSError as e:
            raise UsageError(f"The report {path} cannot be written: {e.strerror}.", hint=_OTHER) from e
        try:
            self._lock()
            self._take()
        except BaseException:  # also when interrupted: a context that was not entered is not left
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._devices:
                self.path.unlink(missing_ok=True)
            elif self._replaced and not self._failed:
                self._compact()
            if not self._failed:
                os.fsync(self._file.fileno())
        except OSError as e:
            raise _unwritten(self.path, e) from e
        finally:
            self._close()

    @property
    def rows(self) -> int:
        """
        How many devices it has.
        """
        return len(self._devices)

    @property
    def done(self) -> int:
        """
        How many of them can connect.
        """
        return self._done

    def has_done(self, ref: str, source: str, fingerprint: str) -> bool:
        """
        Whether this device, with this certificate, was done before, and its place has no row without one: doing it
        again replaces that.
        """
        ref, source = quoted(ref), quoted(source)
        if not fingerprint or _key(ref, source, "") in self._devices:
            return False
        return self._devices.get(_key(ref, source, fingerprint), False)

    def write(self, rows: Iterable[Row]) -> None:
        """
        Append *rows*; they outlive this process as soon as this returns.

        Raises:
            ReportError: they cannot be written; what was not is not known to the next run.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row in rows:
            cells = _cells(row, self._to)
            writer.writerow(cells)
            self._count(cells)
        self._append(text.getvalue().encode())

    def _close(self) -> None:
        with suppress(OSError):  # what could not be written was said
            self._file.close()

    def _append(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as e:
            self._failed = True
            raise _unwritten(self.path, e) from e

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise UsageError(f"The report {self.path} cannot be written: it is no file.", hint=_OTHER)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # one that ended meanwhile may have put a new file in its place
            mine = os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except OSError:
            mine = False
        if not mine:
            raise UsageError(f"Another import is writing the report {self.path}.", hint=_OTHER)

    def _take(self) -> None:
        self._file.seek(0)
        head = self._file.readline(len(_HEAD))
        if head and head != _HEAD and not _HEAD.startswith(head):
            raise UsageError(f"{self.path} {_BY_HAND}", hint=_OTHER)
        if head != _HEAD:
            self._file.truncate(0)
            self._append(_HEAD)
            return
        whole = self._file.tell()
        for number, (line, cells) in enumerate(_lines(self._file), 2):
            if not line.endswith(b"\n"):
                break  # what a killed run left
            if cells is None or not _is_ours(cells):
                # to drop it, and the rows behind it, would be to lose devices
                raise UsageError(f"{self.path}: line {number} {_BY_HAND}", hint=_OTHER)
            if cells[_TO] != self._to:
                raise UsageError(
                    f"The report {self.path} is of an import to {cells[_TO]}, not to {self._to}.", hint=_OTHER
                )
            whole += len(line)
            self._count(cells)
        self._file.truncate(whole)

    def _count(self, cells: list[str]) -> None:
        own, without = _keys(cells)
        for key in {own, without} & self._devices.keys():
            self._replaced = True
            self._done -= self._devices.pop(key)
        self._devices[own] = cells[_STATUS] == DONE
        self._done += self._devices[own]

    def _compact(self) -> None:
        last: dict[bytes, int] = {}
        self._file.seek(len(_HEAD))
        at = len(_HEAD)
        for line, cells in _lines(self._file):
            assert cells is not None  # noqa: S101 -- what we wrote ourselves
            own, without = _keys(cells)
            if own != without:
                last.pop(without, None)
            last[own] = at
            at += len(line)
        path = self.path.resolve()
        fresh = path.with_name(f".{path.name[:200]}.new")
        try:
            with fresh.open("wb") as file:
                shutil.copymode(path, fresh)
                file.write(_HEAD)
                for offset in last.values():
                    self._file.seek(offset)
                    file.write(self._file.readline())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


_HEAD = (",".join(COLUMNS) + "\n").encode()
_REF, _FINGERPRINT, _STATUS, _TO, _SOURCE = map(COLUMNS.index, ("ref", "fingerprint", "status", "to", "source"))


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, list[str] | None]]:
    """
    Yield each line with its cells, None for one that is no row.
    """
    csv.field_size_limit(MAX_CELL)
    for line in iter(file.readline, b""):
        try:
            cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
        except csv.Error:
            cells = []
        yield line, cells if len(cells) == len(COLUMNS) else None


def _is_ours(cells: list[str]) -> bool:
    fingerprint = cells[_FINGERPRINT]
    return not fingerprint or _FINGERPRINT_OF.fullmatch(fingerprint) is not None


def _unwritten(path: Path, error: OSError) -> ReportError:
    return ReportError(
        f"The report {path} cannot be written: {error.strerror}.",
        hint="Make room; the same command goes on where the report ends.",
    )


def _cells(row: Row, to: str) -> list[str]:
    attributes = json.dumps(dict(row.attributes), ensure_ascii=False) if row.attributes else ""
    certificate = base64.b64encode(row.certificate[:_MAX_CERTIFICATE]).decode("ascii")
    message = row.message[:_MAX_MESSAGE]
    texts = (row.ref, row.name, row.fingerprint, row.status, message, to, row.source, attributes)
    return [*(quoted(one_line(text)) for text in texts), certificate]


def _keys(cells: list[str]) -> tuple[bytes, bytes]:
    """
    Return what the row's device is known by, and what it would be if its place had no certificate.
    """
    ref, source = cells[_REF], cells[_SOURCE]
    return _key(ref, source, cells[_FINGERPRINT]), _key(ref, source, "")


def _key(ref: str, source: str, fingerprint: str) -> bytes:
    text = f"{fingerprint.lower()}\n{source}\n{ref}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def destination_of(path: Path) -> str:
    """
    Return where the import went whose report is at *path*, "" if it has no row.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.readline()
            cells = next((cells for _, cells in _lines(file)), None)
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e
    return cells[_TO] if cells else ""
