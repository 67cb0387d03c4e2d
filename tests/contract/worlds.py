"""
The clouds a registry is held to its promises in, each with the hands of an operator.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from firstlight.identity import DeviceIdentity
from firstlight.inspection import Inspector, Sought, Standing
from firstlight.provision import Registration, Registry
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.registries.memory import MemoryRegistry

POLICY = "FirstlightDevice"


class World(Protocol):
    """
    What every promise needs of a cloud.
    """

    @property
    def registry(self) -> Registry: ...

    def another_process(self) -> Registry:
        """
        Return a registry that shares nothing with the first but the cloud.
        """

    def can_connect(self, device: DeviceIdentity) -> bool: ...

    def set_status(self, device: DeviceIdentity, status: str) -> None: ...


class AwsWorld(World, Protocol):
    """
    What an operator, the reference or a crash may have left in AWS IoT.
    """

    @property
    def policy(self) -> str: ...

    def make_thing(self, name: str, attributes: dict[str, str]) -> None: ...

    def edit_thing(self, name: str, attributes: dict[str, str]) -> None: ...

    def attributes(self, name: str) -> dict[str, str] | None:
        """
        Return the thing's attributes, None if there is no thing.
        """

    def principals(self, name: str) -> set[str]:
        """
        Return the ids of the certificates attached to the thing.
        """

    def make_certificate(self, device: DeviceIdentity, status: str = "ACTIVE") -> None: ...

    def status(self, device: DeviceIdentity) -> str | None: ...

    def attach(self, name: str, device: DeviceIdentity) -> None: ...

    def attach_policy(self, device: DeviceIdentity) -> None: ...

    def another_process(self, policy: str = "", *, extras: Extras = NO_EXTRAS) -> Registry: ...

    def make_type(self, name: str) -> None: ...

    def make_group(self, name: str) -> None: ...

    def thing_type(self, name: str) -> str | None: ...

    def groups(self, name: str) -> set[str]:
        """
        Return the names of the groups that the thing is in.
        """


@dataclass
class MemoryWorld:
    """
    The reference: a dictionary.
    """

    registry: MemoryRegistry = field(default_factory=MemoryRegistry)

    def another_process(self) -> Registry:
        return self.registry

    def can_connect(self, device: DeviceIdentity) -> bool:
        found = self.registry.devices.get(device.name)
        return found is not None and found.active and found.fingerprint == device.fingerprint

    def set_status(self, device: DeviceIdentity, status: str) -> None:
        self.registry.devices[device.name].active = status == "ACTIVE"


async def register(registry: Registry, *devices: DeviceIdentity, seconds: float = 30.0) -> Sequence[Registration]:
    """
    Register *devices* with *seconds* to do it in.
    """
    return await registry.register(devices, deadline=asyncio.get_running_loop().time() + seconds)


async def inspect(inspector: Inspector, *sought: Sought, seconds: float = 30.0) -> Sequence[Standing]:
    """
    Ask about each of *sought* with *seconds* to do it in.
    """
    return await inspector.inspect(sought, deadline=asyncio.get_running_loop().time() + seconds)


async def until(happened: Callable[[], bool]) -> None:
    """
    Return when *happened*; fail after ten seconds.
    """
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 -- what happens is counted by a server that knows no events
            await asyncio.sleep(0)


def codes(registrations: Sequence[Registration]) -> list[str]:
    """
    Return "ok" or the error's code, for each.
    """
    return [r.error.code if r.error else "ok" for r in registrations]


Open = Callable[[AsyncExitStack], Awaitable[Any]]


def keep(
    open_world: Open,
    promise: Callable[[Any], Awaitable[None]],
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> None:
    """
    *run* the promise in a world of its own, and close that afterwards.
    """

    async def kept() -> None:
        async with AsyncExitStack() as stack:
            await promise(await open_world(stack))

    run(kept())
