"""
What a run needs of a cloud in memory, whichever it is.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from firstlight.backlog import Source
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Inspector
from firstlight.overflow import Overflow
from firstlight.provision import Registry
from firstlight.settings import Settings
from tests.faults.at_least_once import Delivery, Queue
from tests.faults.wire import Wire

CREDENTIALS = "service:secret"


class _Registry(Registry, Inspector, Protocol):
    pass


class Service(NamedTuple):
    """
    What a process of ours makes once and keeps.
    """

    registry: _Registry
    queue: Overflow


class Cloud(Protocol):
    """
    A registry and a queue behind the real adapters, and the eyes and hands of an operator.
    """

    wire: Wire
    queue: Queue
    # Messages of one invocation, at most.
    batch: int
    # Fingerprint -> what an operator switched it to.
    off: dict[str, str]
    # Words of refusals for good that the cloud's own faults bring about.
    excused: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        """
        What the environment of every process says.
        """

    def __init__(self, wire: Wire, queue: Queue) -> None: ...

    def wired(self) -> AbstractContextManager[None]:
        """
        Let every call of the adapters end in this cloud.
        """

    def new_service(self, *, is_worker: bool) -> Service:
        """
        Return what a process that has just begun makes: one that works a queue off, or that is pushed.
        """

    def source(self, service: Service) -> Source:
        """
        Return the queue as a worker of its own reads it.
        """

    async def invoke(self, deliveries: list[Delivery], *, seconds: float) -> None:
        """
        Do as the cloud's engine: call the real function with *deliveries*, and take out of the queue what is done.
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
