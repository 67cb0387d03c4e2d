"""
The device side of a laptop Azure for one test, and devices that come to it with the vendor's unmodified SDK.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.iot.device import X509, ProxyOptions
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.local.azure_cloud.devices import Devices, serve_devices
from firstlight.local.azure_cloud.proxy import Proxy
from firstlight.local.azure_cloud.world import GLOBAL_DPS_HOST, CaCertificate, Device, Dps, Enrollment, Hub, World
from firstlight.local.mqtt import Happening
from tests.factory import Factory
from tests.mqtt_device import Identity

SCOPE = "0ne00000001"


@dataclass
class Maker:
    """
    A device maker with a root and an intermediate that signs its devices.
    """

    root: Factory = field(default_factory=lambda: Factory("Maker Root", now=datetime.now(UTC)))
    key: pki.PrivateKey = field(default_factory=pki.new_key)
    intermediate: Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.intermediate = pki.create_ca(
            "Maker Intermediate", key=self.key, issuer=(self.root.ca, self.root.key), now=self.root.now
        )

    def device(self, name: str | None) -> tuple[Certificate, pki.PrivateKey]:
        key = pki.new_key()
        certificate = pki.issue_device(
            ca=self.intermediate, ca_key=self.key, key_or_public_key=key, common_name=name, now=self.root.now
        )
        return certificate, key


class Site:
    """
    One hub, one DPS linked to it, a maker; the maker's root is verified in neither.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.maker = Maker()
        self.hub = Hub("hub1")
        self.dps = Dps("dps1", SCOPE, hubs=[self.hub.host])
        self.world = World(hubs={"hub1": self.hub}, services={"dps1": self.dps})

    def verify_root(self) -> None:
        """
        Upload the maker's root to both, verified, and enroll what it issues.
        """
        for place in (self.hub, self.dps):
            place.certificates["root"] = CaCertificate("root", self.maker.root.ca, verified=True)
        self.dps.groups["makers"] = Enrollment("makers", ca_name="root")

    def identity(self, name: str, *, chain: bool = False) -> Identity:
        """
        Make a device with its files; with *chain* it sends the intermediate as well.
        """
        certificate, key = self.maker.device(name)
        return Identity.written(
            self.folder / "devices", certificate, key, *([self.maker.intermediate] if chain else [])
        )

    def registered(self, name: str, *, kind: str = "selfSigned") -> Identity:
        """
        As `identity`, and registered in the hub.
        """
        by_ca = kind == "certificateAuthority"
        identity = self.identity(name, chain=by_ca)
        primary = "" if by_ca else identity.certificate.fingerprint
        self.hub.devices[name] = Device(name, kind=kind, primary=primary)
        return identity


class Bench:
    """
    A running device side, its proxy, and SDK clients that use it.
    """

    def __init__(self, site: Site, devices: Devices, proxy_port: int, journal: list[Happening]) -> None:
        self.site = site
        self.devices = devices
        self.journal = journal
        self._how: dict[str, Any] = {
            "server_verification_cert": devices.ca_file.read_text(),
            "proxy_options": ProxyOptions("HTTP", "127.0.0.1", proxy_port),
        }

    async def client(self, identity: Identity, device_id: str = "", *, hub: str = "") -> IoTHubDeviceClient:
        """
        Return a device that has not connected yet.
        """
        # in a thread: the SDK waits for its own, which may be connecting another device to this very loop
        return await asyncio.to_thread(
            IoTHubDeviceClient.create_from_x509_certificate,
            x509=_x509(identity),
            hostname=hub or self.site.hub.host,
            device_id=device_id or identity.name,
            connection_retry=False,
            auto_connect=False,
            **self._how,
        )

    @asynccontextmanager
    async def online(self, identity: Identity, device_id: str = "") -> AsyncIterator[IoTHubDeviceClient]:
        """
        A device that must be let in.
        """
        client = await self.client(identity, device_id)
        try:
            await client.connect()
            yield client
        finally:
            await client.shutdown()

    async def refused(self, identity: Identity, device_id: str = "", *, hub: str = "") -> str:
        """
        Connect to a hub, be refused, and return the reason in the log; being let in fails the test.
        """
        client = await self.client(identity, device_id, hub=hub)
        try:
            await client.connect()
        except Exception as e:  # noqa: BLE001 -- whichever the SDK makes of CONNACK 5
            said = type(e).__name__
        else:
            said = "connected"
        finally:
            await client.shutdown()
        assert "CredentialError" == said
        return self.devices.attempts[-1].why

    async def provision(self, identity: Identity, registration_id: str = "", *, host: str = GLOBAL_DPS_HOST) -> Any:
        """
        Register with DPS; return the SDK's result.
        """
        client = await asyncio.to_thread(
            ProvisioningDeviceClient.create_from_x509_certificate,
            provisioning_host=host,
            registration_id=registration_id or identity.name,
            id_scope=SCOPE,
            x509=_x509(identity),
            **self._how,
        )
        try:
            return await client.register()
        except BaseException:
            # once assigned the client ends its pipeline, and paho's thread with it; else nobody does
            await _shut_down(client)
            raise


async def listen(client: IoTHubDeviceClient, what: str, handler: Any) -> None:
    """
    Have *client* call *handler* with every *what*: message, method_request or twin_desired_properties_patch.
    """
    # the SDK's setter waits for the subscription, and the hub it waits for is on this loop
    await asyncio.to_thread(setattr, client, f"on_{what}_received", handler)


def _x509(identity: Identity) -> X509:
    return X509(cert_file=str(identity.certificate_file), key_file=str(identity.key_file))


async def _shut_down(client: Any) -> None:
    done = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def ended(**_: Any) -> None:
        loop.call_soon_threadsafe(lambda: done.done() or done.set_result(None))

    client._pipeline.shutdown(callback=ended)  # noqa: SLF001 -- the client has no shutdown of its own
    await asyncio.wait_for(done, 10)


@asynccontextmanager
async def bench(site: Site, **settings: Any) -> AsyncIterator[Bench]:
    """
    Run *site*'s device side behind a proxy.
    """
    journal: list[Happening] = []
    given: dict[str, Any] = {"port": 0, "recheck": 0.1, "assign_at_once": True, **settings}
    async with serve_devices(site.world, folder=site.folder, journal=journal.append, **given) as devices:
        proxy = Proxy(ports={8883: devices.port}, plain=0)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        async with server:
            yield Bench(site, devices, server.sockets[0].getsockname()[1], journal)
