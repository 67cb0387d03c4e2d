"""
What a format of manifests is: a name, a way to know it by its first bytes, a way to read it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstlight.certificates import Certificate
from firstlight.errors import UsageError
from firstlight.manifests.attributes import Wanted
from firstlight.manifests.record import Record

# What a format is known by.
_SAMPLE = 64 * 2**10
_SEPARATOR = re.compile("[,;\t]")


def unheard(note: str) -> None:
    """
    Take *note*, and do nothing with it.
    """
    del note


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What the operator says about a manifest.  Each format takes what concerns it.

    *note* hears, in sentences, what a manifest holds and the import leaves aside on purpose.
    """

    # Columns of a generic CSV.
    certificate_column: str = ""
    ref_column: str = ""
    # Which fields of an entry become the device's attributes.
    attributes: tuple[Wanted, ...] = ()
    # Who may have signed a Microchip manifest.
    signers: tuple[Certificate, ...] = ()
    # Which data objects of an Infineon bundle; empty means all.
    objects: tuple[str, ...] = ()
    note: Callable[[str], None] = unheard


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What a file or folder looks like from outside: its first 64 KiB, none of a folder.
    """

    path: Path
    head: bytes
    is_folder: bool = False

    @classmethod
    def of(cls, path: Path) -> "Sample":
        """
        Raises:
            UsageError: *path* cannot be read.
        """
        try:
            if path.is_dir():
                return cls(path, b"", is_folder=True)
            with path.open("rb") as file:
                return cls(path, file.read(_SAMPLE))
        except OSError as e:
            raise UsageError(f"{path} cannot be read: {e.strerror}.") from e

    def has_columns(self, *names: str) -> bool:
        """
        Whether the first line is CSV in UTF-8 that names the columns *names*, in whatever capitals.
        """
        line = self.head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
        try:
            cells = _SEPARATOR.split(line.decode("utf-8").lower())
        except UnicodeDecodeError:
            return False
        found = {cell.strip(' "\r') for cell in cells}
        return all(name.lower() in found for name in names)


@dataclass(frozen=True, slots=True)
class Format:
    """
    One format.  `name` is how a command spells it, `title` what people call it.

    `read` yields a record per device in the file's order and keeps no more than a few of them; it raises a
    UsageError when the file as a whole is not what it should be, and never for one entry.
    """

    name: str
    title: str
    recognises: Callable[[Sample, Options], bool]
    read: Callable[[Path, Options], Iterator[Record]]
