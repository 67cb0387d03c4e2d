"""
Measures the laptop's IoT Hub and DPS over MQTT: `python -m benchmarks.front_door_azure`.

The hub and the devices are two processes on one machine, so rates are what is left of its cores.  Every device has
a certificate of its own.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import quote

from firstlight.local.azure_cloud.devices import serve_devices
from firstlight.local.azure_cloud.world import GLOBAL_DPS_HOST, CaCertificate, Device, Dps, Enrollment, Hub, World
from firstlight.local.mqtt.trust import ca_file
from tests import mqtt_device
from tests.factory import Factory
from tests.mqtt_device import V311, Identity, tls

SCOPE = "0ne00000001"
HOST = "hub1.azure-devices.net"
AT_ONCE = 32
_PAGE = resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unknown", type=int, default=200, help="devices of the burst through DPS")
    parser.add_argument("--idle", type=int, default=1_000, help="devices that stay connected")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        maker = Factory("Bench CA", now=datetime.now(UTC))
        unknown = devices(maker, folder, "unknown", given.unknown)
        idle = devices(maker, folder, "idle", given.idle)
        (folder / "maker.pem").write_text(maker.ca.pem)
        (folder / "known.json").write_text(json.dumps({i.name: i.certificate.fingerprint for i in idle}))
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        hub = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, theirs))
        hub.start()
        try:
            for name, value in asyncio.run(measured(ours.recv(), hub.pid or 0, folder, unknown, idle)):
                print(f"{name:32}  {value}")
        finally:
            ours.send("stop")
            hub.join()


def devices(maker: Factory, folder: Path, prefix: str, count: int) -> list[Identity]:
    return [Identity.written(folder / prefix, *maker.device(f"{prefix}-{n}")) for n in range(count)]


def serve(folder: Path, until: Connection) -> None:
    """
    Be the hub and the DPS until something comes over *until*.
    """
    asyncio.run(_serve(folder, until))


async def _serve(folder: Path, until: Connection) -> None:
    from firstlight.certificates import load  # noqa: PLC0415 -- in the child only

    hub, dps = Hub("hub1"), Dps("dps1", SCOPE, hubs=[HOST])
    for name, thumbprint in json.loads((folder / "known.json").read_text()).items():
        hub.devices[name] = Device(name, kind="selfSigned", primary=thumbprint)
    dps.certificates["maker"] = CaCertificate("maker", load((folder / "maker.pem").read_bytes()), verified=True)
    dps.groups["makers"] = Enrollment("makers", ca_name="maker")
    world = World(hubs={"hub1": hub}, services={"dps1": dps})
    async with serve_devices(world, folder=folder, port=0, assign_at_once=True, journal=lambda _: None) as running:
        until.send(running.port)
        await asyncio.to_thread(until.recv)


async def measured(
    port: int, pid: int, folder: Path, unknown: list[Identity], idle: list[Identity]
) -> list[tuple[str, str]]:
    """
    Return rows of name and value.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def dial(identity: Identity, server: str, username: str) -> mqtt_device.Device:
        context = tls(identity, ca_file(folder))
        device = await mqtt_device.Device.dial(port, context, server_name=server, version=V311)
        code = await device.connect(identity.name, keep_alive=1_177, username=username)
        if code:
            raise RuntimeError(f"{identity.name} was refused: {code}")
        return device

    async def online(identity: Identity) -> mqtt_device.Device:
        async with gate:
            return await dial(identity, HOST, f"{HOST}/{identity.name}/?api-version=2021-04-12")

    async def first_light(identity: Identity) -> mqtt_device.Device:
        async with gate:
            username = f"{SCOPE}/registrations/{quote(identity.name)}/api-version=2019-03-31"
            device = await dial(identity, GLOBAL_DPS_HOST, username)
            await device.subscribe("$dps/registrations/res/#")
            await device.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", b"{}")
            topic, payload = await device.receive()
            if "/res/200/" not in topic:
                raise RuntimeError(f"{identity.name} was not assigned: {payload!r}")
            await device.hang_up()
        return await online(identity)

    start = _megabytes(pid)
    rows = [("started", f"{start:.0f} MB")]
    began = time.perf_counter()
    connected = await asyncio.gather(*(first_light(identity) for identity in unknown))
    seconds = time.perf_counter() - began
    rows.append((f"{len(unknown)} devices through DPS, online", f"{seconds:.2f} s, {len(unknown) / seconds:.0f}/s"))
    await asyncio.gather(*(device.hang_up() for device in connected))
    before, began = _megabytes(pid), time.perf_counter()
    connected = await asyncio.gather(*(online(identity) for identity in idle))
    seconds = time.perf_counter() - began
    # long enough to be asked several times whether they may stay
    await asyncio.sleep(3)
    await asyncio.gather(*(device.heard_before_ping() for device in connected))
    memory = _megabytes(pid)
    each = (memory - before) / len(idle) * 1024
    rows.append((f"{len(idle)} devices idle", f"connected in {seconds:.1f} s, {memory:.0f} MB ({each:.0f} KiB each)"))
    await asyncio.gather(*(device.hang_up() for device in connected))
    return rows


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20


if __name__ == "__main__":
    main()
