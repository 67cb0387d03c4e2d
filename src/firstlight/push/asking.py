"""
What an ingest API can be asked about certificates, and the statuses that answer it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """
    What becomes of an entry, or, of a status request, what its device is now.
    """

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    PENDING = "PENDING"
    READY = "READY"
    INCOMPLETE = "INCOMPLETE"
    QUEUED = "QUEUED"
    UNKNOWN = "UNKNOWN"


# Of an entry that needs nothing more of whoever asked.
GOOD = frozenset({Status.SUCCESS, Status.PENDING, Status.READY})


@dataclass(frozen=True, slots=True)
class Ask:
    """
    The protocol's action, which statuses answer it, and the caller's preference (RFC 7240), if it has one.
    """

    action: str
    statuses: tuple[Status, ...]
    prefer: str = ""


PROVISION = Ask("provision", (Status.SUCCESS, Status.ERROR))
# A server without a queue answers as if nothing had been preferred.
ASYNC = Ask("provision", (Status.PENDING, Status.SUCCESS, Status.ERROR), "respond-async")
STATUS = Ask("status", (Status.READY, Status.INCOMPLETE, Status.QUEUED, Status.UNKNOWN, Status.ERROR))
