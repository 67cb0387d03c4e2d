"""
What a run needs of a cloud in memory, whichever it is.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from firstlight.identity import DeviceIdentity
from firstlight.provision import Registry
from firstlight.settings import Settings
from tests.faults.wire import Wire

CREDENTIALS = "service:secret"


class Cloud(Protocol):
    """
    A registry behind the real adapter, and the eyes and hands of an operator.
    """

    wire: Wire
    settings: Settings
    # Fingerprint -> what an operator switched it to.
    off: dict[str, str]
    # Words of refusals for good that the cloud's own faults bring about.
    excused: tuple[str, ...]

    def __init__(self, wire: Wire) -> None: ...

    def wired(self) -> AbstractContextManager[None]:
        """
        Let every call of the registries end in this cloud.
        """

    def new_registry(self) -> Registry:
        """
        Return the registry of a process that has just begun.
        """

    def complete(self, device: DeviceIdentity) -> bool:
        """
        Whether the device can connect now.
        """

    def is_anothers(self, device: DeviceIdentity) -> bool:
        """
        Whether the device's name is another certificate's.
        """

    def switch_off(self, device: DeviceIdentity, status: str) -> bool:
        """
        Do as an operator; return whether the device was there to be switched off.
        """

    def leave(self, device: DeviceIdentity, parts: str) -> None:
        """
        Leave what another kit or an operator may have made of *device*, in the letters of `plan`.
        """

    def half_made(self, devices: list[DeviceIdentity]) -> list[str]:
        """
        Say what of *devices*, all that were ever pushed, is not as it should be when all is over.
        """
