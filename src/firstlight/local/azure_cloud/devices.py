"""
The device side of the laptop's Azure, put together: IoT Hub and DPS over MQTT.

    async with serve_devices(world, folder=state, port=0) as devices:
        devices.port, devices.ca_file, devices.inbox, devices.attempts
        devices.send_c2d("hub1.azure-devices.net", "15fc8ea1", b"…")
"""

import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.errors import SessionError
from firstlight.local.azure_cloud.device_attempts import AttemptLog, DeviceAttempt
from firstlight.local.azure_cloud.hub_messages import HubMessages, Telemetry
from firstlight.local.azure_cloud.personality import AzureDevices
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import DPS_DOMAIN, HUB_DOMAIN, Hub, World
from firstlight.local.mqtt import FrontDoor, Journal
from firstlight.local.mqtt.journal import to_log
from firstlight.local.mqtt.trust import ca_file, endpoint_context

# Hubs and services come and go while the laptop runs; their certificate stays.
NAMES = (f"*.{HUB_DOMAIN}", f"*.{DPS_DOMAIN}")


class Devices:
    """
    What the rest of the laptop may ask of the devices that are connected.
    """

    def __init__(self, world: World, front_door: FrontDoor, messages: HubMessages, log: AttemptLog, ca: Path) -> None:
        self.ca_file = ca
        self._world = world
        self._front_door = front_door
        self._messages = messages
        self._log = log

    @property
    def port(self) -> int:
        return self._front_door.port

    @property
    def connections(self) -> int:
        return self._front_door.connections

    @property
    def inbox(self) -> deque[Telemetry]:
        """
        The latest telemetry, oldest first; whoever reads may take from it.
        """
        return self._messages.inbox

    @property
    def attempts(self) -> Sequence[DeviceAttempt]:
        """
        The latest connects and registrations, oldest first.
        """
        return tuple(self._log.latest)

    @property
    def log_file(self) -> Path | None:
        return self._log.path

    def send_c2d(
        self, hub_host: str, device_id: str, payload: bytes, properties: Mapping[str, str] | None = None
    ) -> None:
        """
        Send a cloud-to-device message, which waits for a device that is not connected.

        Raises:
            SessionError: there is no such hub or device, or too much waits for it.
        """
        self._messages.send(self._hub(hub_host), device_id, payload, properties or {})

    async def invoke(self, hub_host: str, device_id: str, method: str, payload: Any, timeout: float) -> tuple[int, Any]:  # noqa: ASYNC109 -- the API's own
        """
        Call a direct method; return the device's status and payload.  *timeout* in seconds.

        Raises:
            SessionError: there is no such hub or device.
            TimeoutError: the device is not connected, or does not answer in time.
        """
        hub = self._hub(hub_host)
        device = hub.devices.get(device_id)
        if device is None:
            raise SessionError(f"Device {device_id!r} is not registered in {hub.host}.", reason=Why.UNKNOWN)
        return await self._messages.invoke(hub, device, method, payload, timeout)

    def _hub(self, host: str) -> Hub:
        hub = self._world.hub_at(host)
        if hub is None:
            raise SessionError(f"There is no IoT hub at {host!r}.", reason=Why.HOST)
        return hub


@asynccontextmanager
async def serve_devices(
    world: World,
    *,
    folder: Path,
    port: int = 8883,
    listener: socket.socket | None = None,
    assign_at_once: bool = False,
    recheck: float = 0.5,
    heard: Callable[[Telemetry], None] | None = None,
    journal: Journal = to_log,
) -> AsyncIterator[Devices]:
    """
    Let devices in to the hubs and services of *world*, on this event loop, until the context ends.

    *folder* has the CA and gets `azure-devices.log`; *port* 0 is a free one; *recheck* is how soon (seconds) a
    disabled device loses its connection; *heard* is told every message to the cloud.

    Raises:
        UsageError: the folder cannot be used.
        DeploymentError: the port cannot be had.
    """

    def now() -> datetime:
        return datetime.now(UTC)

    context = endpoint_context(folder, NAMES, now())
    log = AttemptLog(folder / "azure-devices.log")
    messages = HubMessages(now, heard)
    cloud = AzureDevices(world, messages, now=now, log=log, assign_at_once=assign_at_once)
    front_door = FrontDoor(cloud, context, port=port, listener=listener, recheck=recheck, journal=journal)
    await front_door.start()
    try:
        yield Devices(world, front_door, messages, log, ca_file(folder))
    finally:
        await front_door.stop()
