"""
What is said of devices: one row in a list, one row for what was done to one.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from firstlight.errors import FirstlightError

# Of a CA whose devices are not all switched off, or retired, as was asked.
STAYS = "stays, since its devices are found by it: mend the ERROR, and do it again."


class Became(StrEnum):
    """
    What one device, or something that goes with the devices, is after something was asked of it.

    ABSENT is what is not there, FORESEEN what would be done with --yes, DELETED what is no device and is gone.
    """

    DISABLED = "DISABLED"
    ENABLED = "ENABLED"
    RETIRED = "RETIRED"
    DELETED = "DELETED"
    UNCHANGED = "UNCHANGED"
    ABSENT = "ABSENT"
    FORESEEN = "FORESEEN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Row:
    """
    What became of one device.  `certificates` are fingerprints; `done` says what was, or would be, done, in order.
    """

    name: str
    became: Became
    message: str = ""
    hint: str = ""
    certificates: tuple[str, ...] = ()
    done: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.became is not Became.ERROR

    def to_json(self) -> dict[str, Any]:
        """
        Return it without what is empty.
        """
        return {name: value for name, value in asdict(self).items() if value not in ("", ())}


def failed(name: str, e: FirstlightError, *, certificates: tuple[str, ...] = (), done: tuple[str, ...] = ()) -> Row:
    """
    Return the row of a device that something went wrong with, after *done*.
    """
    return Row(name, Became.ERROR, e.message, e.hint, certificates, done)


@dataclass(frozen=True, slots=True)
class Listed:
    """
    A device as a list shows it.  `state` is the cloud's own word; `certificates` are fingerprints, as the cloud has it.
    """

    name: str
    state: str
    certificates: tuple[str, ...] = ()
    kind: str = ""
    connection: str = ""

    def to_json(self) -> dict[str, Any]:
        """
        Return it without what is empty.
        """
        return {name: value for name, value in asdict(self).items() if value not in ("", ())}


@dataclass(frozen=True, slots=True)
class Which:
    """
    One device, by its name or by its certificate's fingerprint (64 lower-case hex digits); the other is empty.

    `pem` is that certificate where it is at hand: Azure finds a device by what the certificate says.
    """

    name: str = ""
    fingerprint: str = ""
    pem: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.name or self.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    Which devices a list shows: names that begin with *prefix*, *states* (the cloud's words), below *issuer*.

    `issuer` is PEM of a CA certificate; `everything` also shows what firstlight did not make.
    """

    prefix: str = ""
    states: frozenset[str] = frozenset()
    issuer: str = ""
    everything: bool = False
