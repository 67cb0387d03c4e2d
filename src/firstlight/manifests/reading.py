"""
Files to records, whatever their format.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from firstlight.errors import UsageError
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.formats import FORMATS
from firstlight.manifests.record import Record


def read(paths: Iterable[Path], options: Options | None = None, *, name: str = "") -> Iterator[Record]:
    """
    Yield the records of *paths* in order, a few at a time; *name* is the format of all of them, if it is known.

    Raises:
        UsageError: a path cannot be read, is of no known format, or holds no device.
    """
    options = options or Options()
    for path in paths:
        found = named(name) if name else recognised(path, options)
        Sample.of(path)
        empty = True
        for record in found.read(path, options):
            empty = False
            yield record
        if empty and found.name != "report":
            raise UsageError(f"{path} holds no device.", hint=f"It was read as {found.title}.")


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
