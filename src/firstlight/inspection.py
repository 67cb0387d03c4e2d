"""
What a device is now, as its cloud's registry itself says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from firstlight.errors import FirstlightError


class Condition(StrEnum):
    """
    READY can connect now; INCOMPLETE is known and lacks something; QUEUED waits for a worker; UNKNOWN is not there.
    """

    READY = "READY"
    INCOMPLETE = "INCOMPLETE"
    QUEUED = "QUEUED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Sought:
    """
    A device that is asked about: its fingerprint (64 lower-case hex digits), and what its certificate says if known.
    """

    fingerprint: str
    name: str = ""
    common_name: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What one device is.  `missing` says in words what an INCOMPLETE one lacks; `error` why nothing can be said.
    """

    condition: Condition
    missing: tuple[str, ...] = ()
    endpoint: str = ""
    error: FirstlightError | None = None


class Inspector(Protocol):
    """
    What a status request needs of a cloud.
    """

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> Sequence[Standing]:
        """
        Say what each device is now; answer one standing per device, in order, and change nothing.

        READY is said exactly when `Registry.register` would have nothing to do.  What the cloud does not say
        before *deadline* (the running loop's clock, seconds) is answered with an error.  Nothing but
        cancellation is raised.
        """
