"""
The front door closes, whatever its cloud and its clients are about.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firstlight.local.mqtt.cloud import Client, Hello, Refusal
from firstlight.local.mqtt.front_door import FrontDoor
from firstlight.local.mqtt.tls import server_context
from tests.local.scripted_cloud import NAME, Bench, ScriptedCloud
from tests.mqtt_device import Device, GoneError, Identity, tls

# Seconds; a front door that waits without a bound waits for longer.
_FOR_EVER = 20.0


@dataclass
class MuteCloud(ScriptedCloud):
    """
    Never comes to its end, nor to a decision unless it `decides`.
    """

    decides: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gave_up: bool = False

    async def admit(self, hello: Hello) -> Client | Refusal:
        self.asked.set()
        if self.decides:
            return await super().admit(hello)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gave_up = True
            raise
        raise AssertionError

    async def closed(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("decides", [True, False])
def test_a_cloud_that_does_not_end_is_not_waited_for(tmp_path: Path, *, decides: bool) -> None:
    """
    Neither its end nor a decision under way keeps the front door open, and the device sees it close.
    """
    bench = Bench()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(bench.server.ca.pem)

    async def play() -> MuteCloud:
        cloud = MuteCloud(decides=decides)
        door = FrontDoor(cloud, server_context([bench.certificate], bench.server_key), port=0)
        await door.start()
        device = await Device.dial(door.port, tls(Identity.written(tmp_path, *bench.maker.device()), ca_file))
        connecting = asyncio.create_task(device.connect(NAME))
        await asyncio.wait_for(cloud.asked.wait(), _FOR_EVER)
        if decides:
            assert 0 == await connecting
        async with asyncio.timeout(_FOR_EVER):
            await door.stop()
        if not decides:
            with pytest.raises(GoneError):
                await connecting
        await device.hang_up()
        return cloud

    assert decides is not asyncio.run(play()).gave_up
