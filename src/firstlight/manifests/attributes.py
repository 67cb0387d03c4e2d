"""
Which fields of a manifest's entry become attributes of the device.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firstlight.errors import ManifestError, UsageError
from firstlight.identity import Attributes

EVERYTHING = "*"
# Characters of all of a device's; no cloud takes more, and a report has them in one cell.
_MAX_CHARACTERS = 48 * 2**10
# What names such a field is never taken along by `*`: it would be readable by everyone who sees the device.
_SECRET = re.compile(r"key|secret|password|passwd|encrypt|token|pin$|pbs", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The field *field* as the attribute *name*; both are `*` for every field under its own name.
    """

    name: str
    field: str

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        """
        Return what `NAME`, `NAME=FIELD` or `*` asks for.

        Raises:
            UsageError: it is none of these.
        """
        name, equals, field = text.partition("=")
        name, field = name.strip(), field.strip()
        if not name or (equals and not field) or (name == EVERYTHING and equals):
            raise UsageError(f"{text!r} names no attribute.", hint="Write NAME, NAME=COLUMN, or * for all columns.")
        return cls(name, field or name)


def chosen(fields: Mapping[str, str], wanted: Iterable[Wanted]) -> Attributes:
    """
    Return what of *fields* is *wanted* and not empty, without what `*` must not take.  Case does not matter.

    Raises:
        ManifestError: no device can have so much; the sentence goes on from "row 3".
    """
    by_name = {name.lower(): (name, value) for name, value in fields.items()}
    found: dict[str, str] = {}
    for one in wanted:
        if one.name == EVERYTHING:
            found |= {name: value for name, value in fields.items() if value and not _SECRET.search(name)}
        elif (known := by_name.get(one.field.lower())) and known[1]:
            found[one.name] = known[1]
    if sum(len(name) + len(value) for name, value in found.items()) > _MAX_CHARACTERS:
        raise ManifestError(f"has attributes of more than {_MAX_CHARACTERS} characters")
    return tuple(found.items())


def require_known(wanted: Iterable[Wanted], names: Iterable[str], where: str) -> None:
    """
    Raises:
        UsageError: one of *wanted* is none of the fields *names* that *where* has.
    """
    known = list(names)
    lower = {name.lower() for name in known}
    for one in wanted:
        if one.name != EVERYTHING and one.field.lower() not in lower:
            raise UsageError(f"{where} has no field {one.field!r}.", hint=f"It has: {', '.join(known) or 'none'}.")
