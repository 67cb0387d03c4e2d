"""
A 7z archive unpacked to one scratch file, within limits: memory stays flat whatever is in it.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Self

from firstlight.errors import UsageError
from firstlight.manifests import dictionaries

# Bytes of dictionaries that an archive may need to be unpacked; 7-Zip's largest preset has one of this size.
MAX_MEMORY = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Members of an archive, bytes of one of them, bytes of all of them unpacked.
    """

    members: int
    member: int
    total: int


@dataclass(slots=True)
class Kept:
    """
    One member in the scratch file; `too_large` says that it was beyond what a member may be, and is not there.

    `whole` is said once its checksum was right.
    """

    name: str
    offset: int = 0
    size: int = 0
    too_large: bool = False
    whole: bool = False


class TooLargeError(Exception):
    """
    The archive holds more than its limits.
    """


class Spool:
    """
    The members of one archive, one after the other in an unnamed scratch file.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- it is closed with the spool
        self._end = 0
        self._unpacked = 0
        self.kept: list[Kept] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def data(self, kept: Kept) -> bytes:
        """
        Return the bytes of *kept*.
        """
        self._file.seek(kept.offset)
        return self._file.read(kept.size)

    @contextmanager
    def opened(self, kept: Kept) -> Iterator[IO[bytes]]:
        """
        Yield *kept* as a file of its own.
        """
        with tempfile.TemporaryFile() as file:
            left, at = kept.size, kept.offset
            while left:
                self._file.seek(at)
                piece = self._file.read(min(left, 2**20))
                with _room():
                    file.write(piece)
                left, at = left - len(piece), at + len(piece)
            with _room():
                file.seek(0)
            yield file

    def require_room_beside(self, size: int) -> None:
        """
        Return only if *size* bytes of members that are passed over are within the limit, as they are unpacked too.
        """
        if size > self._limits.total:
            raise TooLargeError(f"unpacked it is larger than {self._limits.total} bytes")

    def begun(self, name: str) -> Kept:
        if len(self.kept) >= self._limits.members:
            raise TooLargeError(f"it holds more than {self._limits.members} files")
        kept = Kept(name, self._end)
        self.kept.append(kept)
        return kept

    def add(self, kept: Kept, data: bytes | bytearray) -> None:
        self._unpacked += len(data)
        if self._unpacked > self._limits.total:
            raise TooLargeError(f"unpacked it is larger than {self._limits.total} bytes")
        if kept.size + len(data) > self._limits.member:
            kept.too_large = True
        if kept.too_large:
            return
        with _room():
            self._file.seek(self._end)
            self._file.write(data)
        kept.size += len(data)
        self._end += len(data)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise UsageError(
            f"Scratch files cannot be written to {tempfile.gettempdir()}: {e.strerror}.",
            hint="Make room, or name another folder with TMPDIR.",
        ) from e


def unpacked(archive: Path | IO[bytes], spool: Spool, *, only: Callable[[str], bool]) -> str:
    """
    Unpack the members of *archive* whose name *only* is true for into *spool*; return what went wrong, "" if nothing.

    A member is in the spool whole or not at all, in the archive's order.

    Raises:
        UsageError: there is no room for scratch files.
    """
    # an import of 0.1 s that the other formats need not
    import py7zr  # noqa: PLC0415
    from py7zr.exceptions import PasswordRequired  # noqa: PLC0415

    names: list[str] = []
    problem = ""
    try:
        # given as a file, not as a path: then it is unpacked in one thread, and members do not interleave
        with _opened(archive) as file, py7zr.SevenZipFile(file) as opened:
            names = [name for name in opened.getnames() if only(name)]
            _require_memory(opened)
            wanted = set(names)
            spool.require_room_beside(sum(f.uncompressed for f in opened.files if f.filename not in wanted))
            if names:
                opened.extract(targets=names, factory=_factory(spool))
    except UsageError:
        raise
    except TooLargeError as e:
        problem = str(e)
    except PasswordRequired:
        problem = "it is encrypted"
    except Exception as e:  # noqa: BLE001 -- lzma, struct, py7zr: whatever a broken archive does to its reader
        problem = f"it is broken ({type(e).__name__})"
    spool.kept = [kept for kept in spool.kept if kept.whole]
    if not problem:
        # what is empty is not unpacked, and still somebody's
        there = {PurePosixPath(kept.name).name for kept in spool.kept}
        spool.kept += [Kept(name, whole=True) for name in names if PurePosixPath(name).name not in there]
        return ""
    lost = len(names) - len(spool.kept)
    return f"{problem}, and {lost} of its {len(names)} files could not be had" if names else problem


def _require_memory(opened: Any) -> None:
    streams = opened.header.main_streams  # None if every member is empty
    needed = dictionaries.memory(streams.unpackinfo.folders) if streams else 0
    if needed > MAX_MEMORY:
        raise TooLargeError(f"its dictionaries need {needed} bytes of memory, more than {MAX_MEMORY}")


@contextmanager
def _opened(archive: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if isinstance(archive, Path):
        with archive.open("rb") as file:
            yield file
    else:
        yield archive


def _factory(spool: Spool) -> Any:
    from py7zr.io import Py7zIO, WriterFactory  # noqa: PLC0415 -- as above

    class Member(Py7zIO):
        def __init__(self, kept: Kept) -> None:
            self._kept = kept

        def write(self, s: bytes | bytearray) -> int:
            spool.add(self._kept, s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            del size
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            del whence
            return offset

        def flush(self) -> None:
            """
            Nothing is held back.
            """

        def size(self) -> int:
            return self._kept.size

        def close(self) -> None:
            # py7zr says so when the checksum was right
            self._kept.whole = True

    class Members(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Member(spool.begun(filename))

    return Members()
