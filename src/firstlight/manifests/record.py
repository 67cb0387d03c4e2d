"""
What a manifest says of one device.
"""

from dataclasses import dataclass, field

from firstlight.errors import ManifestError
from firstlight.identity import Attributes


@dataclass(frozen=True, slots=True)
class Record:
    """
    One certificate of a manifest, or one entry of it that holds none that can be used.

    `certificate` is PEM (the leaf first, then its chain if the manifest has one) or DER, unread.
    `source` is the place in the file, for people: "reel.csv row 7".  Within one manifest the pair of
    `source` and `ref` is found once; both are one line each.  `error` says why there is no certificate.
    """

    ref: str
    certificate: bytes = field(default=b"", repr=False)
    source: str = ""
    attributes: Attributes = ()
    error: ManifestError | None = None


def one_line(text: str) -> str:
    """
    Return *text* without line ends and other control characters: refs and sources go into tables and reports.
    """
    if text.isprintable():
        return text.strip()
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
