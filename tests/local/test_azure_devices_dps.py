"""
DPS on the laptop, met by azure-iot-device as it is sold: first contact, and what must fail.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.iot.device import exceptions

from firstlight.local.azure_cloud.world import Enrollment, Hub
from tests.factory import Factory
from tests.local.azure_devices import Bench, Site, bench
from tests.mqtt_device import Identity

# the SDK asks paho for its first callback interface
pytestmark = pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    assert [] == [thread.name for thread in threading.enumerate() if "paho" in thread.name]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.verify_root()
    return made


async def refused(laptop: Bench, identity: Identity, registration_id: str = "") -> str:
    """
    Register, be refused, and return the reason in the log; being assigned fails the test.
    """
    with pytest.raises(exceptions.ClientError):
        await laptop.provision(identity, registration_id)
    attempt = laptop.devices.attempts[-1]
    assert ("register", False) == (attempt.what, attempt.accepted)
    return attempt.why


def test_a_device_nobody_announced_is_registered_and_connects(site: Site) -> None:
    """
    By its group's CA and the chain it sends; the hub then knows the leaf's thumbprint.
    """
    site.dps.groups["makers"].initial_twin = {"tags": {"lot": 7}, "properties": {"desired": {"interval": 5}}}

    async def test() -> None:
        identity = site.identity("new-1", chain=True)
        async with bench(site, assign_at_once=False) as laptop:
            result = await laptop.provision(identity)
            state = result.registration_state
            assert ("assigned", site.hub.host, "new-1") == (result.status, state.assigned_hub, state.device_id)
            async with laptop.online(identity, state.device_id) as client:
                assert {"interval": 5, "$version": 1} == (await client.get_twin())["desired"]
        device = site.hub.devices["new-1"]
        assert ("selfSigned", identity.certificate.fingerprint.upper()) == (device.kind, device.primary)
        assert {"lot": 7} == device.twin.tags

    asyncio.run(test())


def test_the_service_has_a_host_of_its_own(site: Site) -> None:
    """
    Beside the global one; both tell services apart by id scope.
    """

    async def test() -> None:
        async with bench(site) as laptop:
            result = await laptop.provision(site.identity("new-1", chain=True), host=site.dps.host)
        assert "assigned" == result.status

    asyncio.run(test())


def test_who_is_not_registered_and_why(site: Site) -> None:
    """
    The device hears 401; the log says which it was.
    """
    stranger = Factory("Stranger CA", now=site.maker.root.now)
    strange = Identity.written(site.folder / "devices", *stranger.device("new-1"), stranger.ca)

    async def test() -> None:
        leaf_only, chained = site.identity("new-1"), site.identity("new-1", chain=True)
        async with bench(site) as laptop:
            reasons = [
                await refused(laptop, leaf_only),
                await refused(laptop, strange),
                await refused(laptop, chained, "new-2"),
            ]
            assert "only its own certificate was sent" in laptop.devices.attempts[-3].reason
            site.dps.groups["makers"].enabled = False
            reasons += [await refused(laptop, chained)]
            site.dps.groups.clear()
            reasons += [await refused(laptop, chained)]
            site.dps.certificates["root"].verified = False
            reasons += [await refused(laptop, chained)]
        assert [
            "chain-incomplete",
            "ca-unknown",
            "common-name-differs",
            "disabled",
            "no-enrollment",
            "ca-unverified",
        ] == reasons
        assert {} == site.hub.devices

    asyncio.run(test())


def test_an_individual_enrollment_comes_before_its_group(site: Site) -> None:
    """
    It names the device id; another certificate of the group is not that device; disabled, it blocks.
    """

    async def test() -> None:
        identity, other = site.identity("New-1", chain=True), site.identity("new-1", chain=True)
        enrollment = Enrollment("new-1", certificate=identity.certificate, device_id="press-7")
        site.dps.enrollments["new-1"] = enrollment
        async with bench(site) as laptop:
            result = await laptop.provision(identity, "NEW-1")
            assert ["press-7"] == list(site.hub.devices)
            assert "press-7" == result.registration_state.device_id
            assert "thumbprint-differs" == await refused(laptop, other)
            enrollment.enabled = False
            assert "disabled" == await refused(laptop, identity)

    asyncio.run(test())


def test_the_nearest_issuer_decides(site: Site) -> None:
    """
    A group of the intermediate comes before the root's; it is good as long as the root is verified.
    """

    async def test() -> None:
        identity = site.identity("new-1", chain=True)
        site.dps.groups["nearest"] = Enrollment("nearest", certificate=site.maker.intermediate)
        async with bench(site) as laptop:
            await laptop.provision(identity)
            assert "nearest" == site.dps.assignments["new-1"].enrollment
            site.dps.groups["nearest"].enabled = False
            assert "disabled" == await refused(laptop, identity)

    asyncio.run(test())


def test_a_rolled_certificate_is_registered_again(site: Site) -> None:
    """
    With the new one the hub refuses the device until it has; then the old one no longer works, and the twin is kept.
    """

    async def test() -> None:
        old, new = site.identity("dev-1", chain=True), site.identity("dev-1", chain=True)
        async with bench(site) as laptop:
            await laptop.provision(old)
            async with laptop.online(old) as client:
                await client.patch_twin_reported_properties({"kept": True})
            assert "thumbprint-differs" == await laptop.refused(new)
            await laptop.provision(new)
            async with laptop.online(new) as client:
                assert {"kept": True, "$version": 2} == (await client.get_twin())["reported"]
            assert "thumbprint-differs" == await laptop.refused(old)

    asyncio.run(test())


def test_a_disabled_device_stays_disabled(site: Site) -> None:
    """
    Registering again does not revive it.
    """

    async def test() -> None:
        identity = site.identity("dev-1", chain=True)
        async with bench(site) as laptop:
            await laptop.provision(identity)
            site.hub.devices["dev-1"].enabled = False
            await laptop.provision(identity)
            assert "disabled" == await laptop.refused(identity)

    asyncio.run(test())


def test_without_a_hub_the_registration_fails(site: Site) -> None:
    """
    In the device's answer too: this is nothing about the device.
    """
    site.dps.hubs.clear()

    async def test() -> None:
        async with bench(site, assign_at_once=False) as laptop:
            assert "no-hub" == await refused(laptop, site.identity("dev-1", chain=True))

    asyncio.run(test())


def test_a_device_follows_its_enrollment_to_another_hub(site: Site) -> None:
    """
    With its twin; the old hub forgets it.
    """
    second = Hub("hub2")
    site.world.hubs["hub2"] = second
    site.dps.hubs.append(second.host)

    async def test() -> None:
        identity = site.identity("dev-1", chain=True)
        site.dps.groups["makers"].hub_host = site.hub.host
        async with bench(site) as laptop:
            await laptop.provision(identity)
            site.hub.devices["dev-1"].twin.reported = {"kept": True}
            site.dps.groups["makers"].hub_host = second.host
            state = (await laptop.provision(identity)).registration_state
            assert (second.host, "deviceDataMigrated") == (state.assigned_hub, state.sub_status)
        assert ({}, {"kept": True}) == (site.hub.devices, second.devices["dev-1"].twin.reported)

    asyncio.run(test())


def test_a_hundred_devices_come_online(site: Site) -> None:
    """
    Through DPS to the hub, connected all at once, each heard.
    """
    count = 100
    identities = [site.identity(f"dev-{n}", chain=True) for n in range(count)]

    async def test() -> None:
        gate = asyncio.Semaphore(10)
        all_online, online = asyncio.Event(), 0

        async def first_light(laptop: Bench, identity: Identity) -> None:
            nonlocal online
            async with gate:
                state = (await laptop.provision(identity)).registration_state
            async with laptop.online(identity, state.device_id) as client:
                online += 1
                if online == count:
                    all_online.set()
                await asyncio.wait_for(all_online.wait(), 60)
                await client.send_message(json.dumps({"n": identity.name}))

        async with bench(site) as laptop:
            await asyncio.gather(*(first_light(laptop, identity) for identity in identities))
            heard = {t.device_id for t in laptop.devices.inbox}
        assert {identity.name for identity in identities} == heard

    asyncio.run(test())
