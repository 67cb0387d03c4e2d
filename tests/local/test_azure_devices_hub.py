"""
IoT Hub on the laptop, met by azure-iot-device as it is sold.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.iot.device import Message, MethodResponse
from cryptography.hazmat.primitives import hashes

from firstlight.local.azure_cloud import hub_twin
from firstlight.local.azure_cloud.world import CaCertificate
from tests.local.azure_devices import Site, bench, listen
from tests.local.front_doors import soon

# the SDK asks paho for its first callback interface
pytestmark = pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    assert [] == [thread.name for thread in threading.enumerate() if "paho" in thread.name]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_device_is_known_by_its_thumbprint(site: Site) -> None:
    """
    And is seen as connected for as long as it is.
    """

    async def test() -> None:
        identity = site.registered("dev-a")
        device = site.hub.devices["dev-a"]
        async with bench(site) as laptop:
            async with laptop.online(identity):
                assert device.connected
            assert await soon(lambda: not device.connected)
            assert [""] == [attempt.why for attempt in laptop.devices.attempts]

    asyncio.run(test())


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_sha_1_and_either_place_and_case_will_do(site: Site, where: str) -> None:
    """
    Thumbprints are compared without case; 40 hex digits are SHA-1.
    """
    identity = site.registered("dev-a")
    device = site.hub.devices["dev-a"]
    device.primary = device.secondary = ""
    setattr(device, where, identity.certificate.x509.fingerprint(hashes.SHA1()).hex().upper())

    async def test() -> None:
        async with bench(site) as laptop, laptop.online(identity):
            assert device.connected

    asyncio.run(test())


def test_a_device_is_known_by_its_chain(site: Site) -> None:
    """
    Up to a CA verified in the hub, with the device's id as its CN.
    """
    site.verify_root()
    identity = site.registered("dev-ca", kind="certificateAuthority")

    async def test() -> None:
        async with bench(site) as laptop, laptop.online(identity):
            assert site.hub.devices["dev-ca"].connected

    asyncio.run(test())


def test_telemetry_arrives_with_its_properties(site: Site) -> None:
    """
    The device's own and the system's.
    """

    async def test() -> None:
        identity = site.registered("dev-a")
        async with bench(site) as laptop, laptop.online(identity) as client:
            message = Message(b"\x00light", message_id="m1", content_type="text/plain")
            message.custom_properties["a b"] = "ä&=/?"
            await client.send_message(message)
            heard = laptop.devices.inbox.popleft()
            assert (site.hub.host, "dev-a", b"\x00light") == (heard.hub, heard.device_id, heard.payload)
            assert {"a b": "ä&=/?", "$.mid": "m1", "$.ct": "text/plain"} == heard.properties

    asyncio.run(test())


def test_a_message_waits_for_its_device(site: Site) -> None:
    """
    Sent before the device ever connected, and while it is connected: both arrive, once and in order.
    """

    async def test() -> None:
        identity = site.registered("dev-a")
        other = site.registered("dev-b")
        heard: list[tuple[bytes, dict[str, str]]] = []
        async with bench(site) as laptop:
            laptop.devices.send_c2d(site.hub.host, "dev-a", b"early", {"$.mid": "m1", "x y": "1/2"})
            async with laptop.online(identity) as client, laptop.online(other) as neighbour:

                def hear(message: Any) -> None:
                    heard.append((message.data, {"id": message.message_id, **message.custom_properties}))

                await listen(client, "message", hear)
                await listen(neighbour, "message", lambda _: heard.append((b"not for it", {})))
                assert await soon(lambda: len(heard) == 1)
                laptop.devices.send_c2d(site.hub.host, "dev-a", b"late")
                assert await soon(lambda: len(heard) == 2)
        assert [(b"early", {"id": "m1", "x y": "1/2"}), (b"late", {"id": None})] == heard

    asyncio.run(test())


def test_the_twin_is_read_reported_and_desired(site: Site) -> None:
    """
    With versions; null takes away; the device hears of a change of what is desired, and of that alone.
    """

    async def test() -> None:
        identity = site.registered("dev-a")
        device, patches = site.hub.devices["dev-a"], []
        device.twin.tags = {"secret": "of the service"}
        async with bench(site) as laptop, laptop.online(identity) as client:
            await listen(client, "twin_desired_properties_patch", patches.append)
            await client.patch_twin_reported_properties({"firmware": {"version": 1}, "old": True})
            await client.patch_twin_reported_properties({"firmware": {"ok": True}, "old": None})
            hub_twin.patch(site.hub, device, {"properties": {"desired": {"interval": 5}}})
            assert await soon(lambda: bool(patches))
            twin = await client.get_twin()
        assert [{"interval": 5, "$version": 2}] == patches
        assert {
            "desired": {"interval": 5, "$version": 2},
            "reported": {"firmware": {"version": 1, "ok": True}, "$version": 3},
        } == twin

    asyncio.run(test())


def test_a_direct_method_goes_there_and_back(site: Site) -> None:
    """
    To the one device it is meant for; one that does not listen is a time-out.
    """

    async def test() -> None:
        identity, other = site.registered("dev-a"), site.registered("dev-b")
        async with bench(site) as laptop, laptop.online(identity) as client, laptop.online(other):

            async def answer(request: Any) -> None:
                result = {"name": request.name, "got": request.payload}
                await client.send_method_response(MethodResponse.create_from_method_request(request, 207, result))

            await listen(client, "method_request", answer)
            status, payload = await laptop.devices.invoke(site.hub.host, "dev-a", "blink", {"n": 3}, 10)
            assert (207, {"name": "blink", "got": {"n": 3}}) == (status, payload)
            with pytest.raises(TimeoutError):
                await laptop.devices.invoke(site.hub.host, "dev-b", "blink", None, 10)

    asyncio.run(test())


def test_who_is_refused_and_why(site: Site) -> None:
    """
    The device hears "not authorized"; the log says which it was.
    """

    async def test() -> None:
        known = site.registered("dev-a")
        site.registered("dev-off")
        by_ca = site.registered("dev-ca", kind="certificateAuthority")
        leaf_only = site.identity("dev-ca")
        async with bench(site) as laptop:
            reasons = [
                await laptop.refused(known, "nobody"),
                await laptop.refused(known, "DEV-A"),
                await laptop.refused(known, "dev-off"),
                await laptop.refused(known, hub="other.azure-devices.net"),
                await laptop.refused(by_ca),
                await laptop.refused(leaf_only),
            ]
            site.hub.certificates["root"] = CaCertificate("root", site.maker.root.ca)
            reasons += [await laptop.refused(by_ca)]
            site.hub.certificates["root"].verified = True
            reasons += [
                await laptop.refused(leaf_only),
                await laptop.refused(site.identity("else", chain=True), "dev-ca"),
            ]
            site.hub.devices["dev-a"].enabled = False
            reasons += [await laptop.refused(known)]
            log = (site.folder / "azure-devices.log").read_text().splitlines()
        assert [
            "device-unknown",
            "case-differs",
            "thumbprint-differs",
            "host-unknown",
            "chain-incomplete",
            "chain-incomplete",
            "ca-unverified",
            "chain-incomplete",
            "common-name-differs",
            "disabled",
        ] == reasons
        assert len(reasons) == len(log)
        assert "only its own certificate was sent" in log[7]

    asyncio.run(test())


def test_a_disabled_or_deleted_device_loses_its_connection(site: Site) -> None:
    """
    Soon, and only that one.
    """

    async def test() -> None:
        names = ["dev-a", "dev-b", "dev-c"]
        identities = [site.registered(name) for name in names]
        async with (
            bench(site) as laptop,
            laptop.online(identities[0]) as disabled,
            laptop.online(identities[1]) as deleted,
            laptop.online(identities[2]) as stays,
        ):
            site.hub.devices["dev-a"].enabled = False
            site.hub.tell("deleted", site.hub.devices.pop("dev-b"))
            assert await soon(lambda: not disabled.connected and not deleted.connected)
            await stays.send_message(json.dumps({"still": "here"}))
            assert stays.connected

    asyncio.run(test())


def test_the_same_id_again_takes_the_connection_over(site: Site) -> None:
    """
    The older one is closed; the device stays connected.
    """

    async def test() -> None:
        identity = site.registered("dev-a")
        async with bench(site) as laptop, laptop.online(identity) as first, laptop.online(identity) as second:
            assert await soon(lambda: not first.connected)
            await second.send_message("x")
            assert site.hub.devices["dev-a"].connected

    asyncio.run(test())
