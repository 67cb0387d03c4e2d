"""
A front door of the laptop AWS for one test, and devices that come to it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from firstlight.local.addresses import Addresses
from firstlight.local.aws_iot.front_door import AwsFrontDoor, Settings
from firstlight.local.mqtt import Happening
from tests.mqtt_device import V5, Device, GoneError, Identity, tls


class Door:
    """
    A running front door; `journal` is what happened at it.
    """

    def __init__(self, front_door: AwsFrontDoor, journal: list[Happening]) -> None:
        self.front_door = front_door
        self.port = front_door.port
        self.ca_file = front_door.ca_file
        self.journal = journal

    async def dial(self, identity: Identity | None, *, version: int = V5, **how: Any) -> Device:
        context = tls(identity, self.ca_file, verify_host=how.get("server_name", "localhost") == "localhost")
        return await Device.dial(self.port, context, version=version, **how)

    async def refused(self, identity: Identity, client_id: str = "", *, version: int = V5, **how: Any) -> Happening:
        """
        Connect, be refused, and return why; being let in fails the test.
        """
        device = await self.dial(identity, version=version, **how)
        try:
            code = await device.connect(client_id or identity.name)
        except GoneError:
            code = None
        finally:
            await device.hang_up()
        assert code != 0
        refusals = [h for h in self.journal if h.what == "refused"]
        return refusals[-1]

    async def online(self, identity: Identity, client_id: str = "", *, version: int = V5) -> Device:
        """
        Connect a device that must be let in at once.
        """
        device = await self.dial(identity, version=version)
        assert 0 == await device.connect(client_id or identity.name)
        return device

    async def first_light(self, identity: Identity, *, version: int = V5, patience: float = 20.0) -> Device:
        """
        Connect until let in, as a device does whose first connection is closed.
        """
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            device = await self.dial(identity, version=version)
            try:
                assert 0 == await device.connect(identity.name)
            except GoneError:
                await device.hang_up()
                assert asyncio.get_running_loop().time() < deadline, self.journal[-1]
                await asyncio.sleep(0.05)
            else:
                return device


@asynccontextmanager
async def front_door(aws: Addresses, folder: Path, **settings: Any) -> AsyncIterator[Door]:
    """
    A front door to *aws* with its state in *folder*, remembering nothing unless told to.
    """
    journal: list[Happening] = []
    given: dict[str, Any] = {"port": 0, "remember": 0.0, "recheck": 0.2, **settings}
    door = AwsFrontDoor(
        Settings(
            state=folder,
            endpoint_url=aws.endpoint_url,
            region=aws.region,
            account=aws.account,
            credentials=aws.credentials,
            **given,
        ),
        journal=journal.append,
    )
    await door.start()
    try:
        yield Door(door, journal)
    finally:
        await door.stop()


async def soon(holds: Callable[[], bool | Awaitable[bool]], patience: float = 15.0) -> bool:
    """
    Return whether *holds* came true before *patience* (seconds) was over.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        result = holds()
        if result if isinstance(result, bool) else await result:
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
