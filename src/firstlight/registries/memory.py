"""
A registry that keeps its devices in a dictionary: the reference for the contract suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from firstlight.errors import InactiveError, NameTakenError
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Sought, Standing
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

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> list[Standing]:
        """
        See `firstlight.inspection.Inspector`.
        """
        del deadline
        known = {device.fingerprint: device for device in self.devices.values()}
        return [self._standing(known.get(sought.fingerprint)) for sought in devices]

    def _register(self, identity: DeviceIdentity) -> Registration:
        device = self.devices.setdefault(identity.name, Device(identity.fingerprint))
        if device.fingerprint != identity.fingerprint:
            return Registration(error=NameTakenError.of(identity.name))
        if not device.active:
            return Registration(error=InactiveError.of("INACTIVE"))
        return Registration(endpoint=self.endpoint)

    def _standing(self, device: Device | None) -> Standing:
        if device is None:
            return Standing(Condition.UNKNOWN)
        if not device.active:
            return Standing(Condition.INCOMPLETE, ("an ACTIVE certificate: it is INACTIVE",))
        return Standing(Condition.READY, endpoint=self.endpoint)
