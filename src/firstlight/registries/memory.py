"""
A registry that keeps its devices in a dictionary: the reference for the contract suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from firstlight.errors import InactiveError, NameTakenError
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration


@dataclass
class Device:
    """
    One registered device; `active` is the switch an operator turns off.
    """

    fingerprint: str
    active: bool = True


class MemoryRegistry:
    """
    Devices by name.  Nothing outlives the process.
    """

    def __init__(self, endpoint: str = "memory.invalid") -> None:
        self.endpoint = endpoint
        self.devices: dict[str, Device] = {}

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        del deadline  # memory never makes anyone wait
        return [self._register(device) for device in devices]

    def _register(self, identity: DeviceIdentity) -> Registration:
        device = self.devices.setdefault(identity.name, Device(identity.fingerprint))
        if device.fingerprint != identity.fingerprint:
            return Registration(error=NameTakenError.of(identity.name))
        if not device.active:
            return Registration(error=InactiveError.of("INACTIVE"))
        return Registration(endpoint=self.endpoint)
