"""
A registry that announces devices before it registers them: whoever connects while its push still waits is let in.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from firstlight.errors import FirstlightError, InactiveError, RegistryError, UnfinishedError
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Inspector, Sought, Standing
from firstlight.provision import Registration, Registry
from firstlight.registries.aws_announcements import Announcement, Announcements

_LOG = logging.getLogger("firstlight.announcements")
# Seconds: as long as a queue keeps a push at most.  What was registered is withdrawn at once.
_LIFETIME = 14 * 86_400
# Of a push's time that announcing may take: provisioning is what was asked for.
_SHARE = 0.25
_PENDING = "PENDING_ACTIVATION"


class _Registry(Registry, Inspector, Protocol):
    def refusal(self, device: DeviceIdentity) -> RegistryError | None: ...

    async def close(self) -> None: ...


class _Connections(Protocol):
    async def close(self) -> None: ...


class AnnouncingRegistry:
    """
    *registry*, with *announcements* made before, and withdrawn of whoever need not be waited for any more.

    That an announcement fails is logged and changes no answer: the device is then let in when its push is done.
    """

    def __init__(
        self,
        registry: _Registry,
        announcements: Announcements,
        connections: _Connections,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._announcements = announcements
        self._connections = connections
        self._clock = clock

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        """
        See `firstlight.provision.Registry`.
        """
        announced = await self._announce(devices, deadline)
        done = await self._registry.register(devices, deadline=deadline)
        pairs = list(zip(devices, done, strict=True))
        done = [_awaited(made) if announced[device.fingerprint] is None else made for device, made in pairs]
        # Who is refused for good, its name taken or its certificate revoked, shall not come in by another door.
        settled = [d.fingerprint for (d, _), made in zip(pairs, done, strict=True) if _is_settled(made)]
        _log("withdrawn", (await self._announcements.withdraw(settled, deadline=deadline)).values())
        return done

    async def expect(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> None:
        """
        See `firstlight.overflow.Expecting`: whoever connects before the queue comes to it is let in.
        """
        await self._announce(devices, deadline)

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        """
        See `firstlight.overflow.Foreseeing`.
        """
        return self._registry.refusal(device)

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> Sequence[Standing]:
        """
        See `firstlight.inspection.Inspector`.
        """
        return await self._registry.inspect(devices, deadline=deadline)

    async def close(self) -> None:
        """
        Close the connections.
        """
        await self._registry.close()
        await self._connections.close()

    async def _announce(self, devices: Sequence[DeviceIdentity], deadline: float) -> dict[str, FirstlightError | None]:
        expires = int(self._clock()) + _LIFETIME
        now = asyncio.get_running_loop().time()
        announced = await self._announcements.announce(
            [
                Announcement(fingerprint=d.fingerprint, name=d.name, attributes=d.attributes, expires=expires)
                for d in devices
            ],
            deadline=now + (deadline - now) * _SHARE,
        )
        _log("announced", announced.values())
        return announced


def _is_settled(made: Registration) -> bool:
    return made.error is None or not (isinstance(made.error, UnfinishedError) or _is_outside(made))


def _is_outside(made: Registration) -> bool:
    return isinstance(made.error, InactiveError) and made.error.status == _PENDING


def _awaited(made: Registration) -> Registration:
    """
    Return *made*, said better for a device that connected before it was pushed: nobody has switched it off.
    """
    if not _is_outside(made):
        return made
    error = UnfinishedError(
        "Failed creating and registering thing: the device connected before its push, and its certificate is "
        f"{_PENDING}; it is announced now and let in at its next connect.",
        hint="Push again to see it done.",
    )
    return replace(made, error=error)


def _log(what: str, errors: Iterable[FirstlightError | None]) -> None:
    failed = [error for error in errors if error is not None]
    if failed:
        _LOG.warning("%d certificates could not be %s: %s", len(failed), what, failed[0])
