"""
Files to records, whatever their format.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from firstlight.errors import UsageError
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.formats import FORMATS
from firstlight.manifests.record import Record, one_line


def read(paths: Iterable[Path], options: Options | None = None, *, name: str = "") -> Iterator[Record]:
    """
    Yield the records of *paths* in order, a few at a time; *name* is the format of all of them, if it is known.

    Where two have one ref and one source, as of files of one name in two folders, the source of the later one
    says its file, and a number.

    Raises:
        UsageError: a path cannot be read, is of no known format, or holds no device.
    """
    options, places = options or Options(), _Places()
    for path in paths:
        found = named(name) if name else recognised(path, options)
        Sample.of(path)
        empty = True
        for record in found.read(path, options):
            empty = False
            # the rows of a report that was left half-way are of one device if they look so
            yield record if found.name == "report" else places.told_apart(record, path)
        if empty and found.name != "report":
            raise UsageError(f"{path} holds no device.", hint=f"It was read as {found.title}.")


class _Places:
    """
    The places of one reading so far, as digests: a million of them have to fit.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()

    def told_apart(self, record: Record, path: Path) -> Record:
        source, again = record.source, 1
        while (key := _digest(source, record.ref)) in self._known:
            again += 1
            source = one_line(f"{record.source} ({path}, {again})")
        self._known.add(key)
        return record if again == 1 else replace(record, source=source)


def _digest(source: str, ref: str) -> int:
    digest = hashlib.blake2b(f"{source}\n{ref}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def named(name: str) -> Format:
    """
    Raises:
        UsageError: no format has this name.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    raise UsageError(f"{name!r} is no format of manifests.", hint=_list())


def recognised(path: Path, options: Options) -> Format:
    """
    Return the format of the file or folder at *path*, by its content.

    Raises:
        UsageError: it cannot be read, or no format recognises it.
    """
    sample = Sample.of(path)
    for known in FORMATS:
        if known.recognises(sample, options):
            return known
    raise UsageError(f"{path} is a manifest of no format that is known here.", hint=_list())


def _list() -> str:
    return f"Name one with --format: {', '.join(f'{known.name} ({known.title})' for known in FORMATS)}."
