"""
Registered devices at the front door: what they may do, and when they must go.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from firstlight.local.mqtt import Message
from tests.factory import Factory
from tests.local.front_doors import Door, front_door, soon
from tests.local.jitp_site import JitpSite, device_policy
from tests.mqtt_device import V5, V311, GoneError, Identity

REGION = "eu-west-1"
VERSIONS = pytest.mark.parametrize("version", [V311, V5])


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with ControlPlane(tmp_path_factory.mktemp("aws"), region=REGION) as running:
        yield Addresses(endpoint_url=running.endpoint_url, region=REGION, account=running.account, credentials=ROOT)


class Fleet:
    """
    Devices registered as a push registers them: without a CA, with a thing and a policy.
    """

    def __init__(self, aws: Addresses, folder: Path) -> None:
        self.maker = Factory("Fleet CA", now=datetime.now(UTC))
        self.site = JitpSite(aws, self.maker)
        self.site.make_policy(device_policy(aws))
        self._folder = folder / "devices"

    def add(self, name: str, *, policy: bool = True, status: str = "ACTIVE", days: int = 730) -> Identity:
        key = pki.new_key()
        certificate = pki.issue_device(
            ca=self.maker.ca,
            ca_key=self.maker.key,
            key_or_public_key=key,
            common_name=f"{name}-{self.site.suffix}",
            days=days,
            now=self.maker.now,
        )
        identity = Identity.written(self._folder, certificate, key)
        iot = self.site.iot
        arn = iot.register_certificate_without_ca(certificatePem=certificate.pem, status="ACTIVE")["certificateArn"]
        iot.create_thing(thingName=identity.name)
        iot.attach_thing_principal(thingName=identity.name, principal=arn)
        if policy:
            iot.attach_policy(policyName=self.site.policy_name, target=arn)
        if status != "ACTIVE":
            self.set_status(identity, status)
        return identity

    def set_status(self, identity: Identity, status: str) -> None:
        self.site.iot.update_certificate(certificateId=identity.certificate.fingerprint, newStatus=status)


@pytest.fixture
def fleet(aws: Addresses, tmp_path: Path) -> Fleet:
    return Fleet(aws, tmp_path)


@VERSIONS
def test_a_pushed_device_is_online_at_once(aws: Addresses, fleet: Fleet, tmp_path: Path, version: int) -> None:
    """
    Its first connection is not closed: it is registered already.
    """

    async def test() -> None:
        identity = fleet.add("pushed")
        async with front_door(aws, tmp_path) as door:
            device = await door.online(identity, version=version)
            assert [1] == await device.subscribe(f"firstlight/{identity.name}/#")
            assert 0 == await device.publish(f"firstlight/{identity.name}/verify", b"hello")
            assert (f"firstlight/{identity.name}/verify", b"hello") == await device.receive()
            await device.hang_up()

    asyncio.run(test())


def test_another_devices_topics_are_refused(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    MQTT 5 is told; 3.1.1 is told for subscriptions and cut off for messages.
    """

    async def test() -> None:
        one, other = fleet.add("one"), fleet.add("other")
        async with front_door(aws, tmp_path) as door:
            witness = await door.online(other)
            await witness.subscribe(f"firstlight/{other.name}/#")
            new = await door.online(one)
            assert 0x87 == await new.publish(f"firstlight/{other.name}/x", b"intruder")
            assert [0x87, 0x87, 1] == await new.subscribe(f"firstlight/{other.name}/#", "#", f"firstlight/{one.name}/x")
            await new.hang_up()
            old = await door.online(one, version=V311)
            assert [0x80, 1] == await old.subscribe(f"firstlight/{other.name}/#", f"firstlight/{one.name}/x")
            with pytest.raises(GoneError):
                await old.publish(f"firstlight/{other.name}/x", b"intruder")
            await old.hang_up()
            assert [] == await witness.heard_before_ping()
            await witness.hang_up()

    asyncio.run(test())


@VERSIONS
def test_another_client_identifier_is_refused(aws: Addresses, fleet: Fleet, tmp_path: Path, version: int) -> None:
    """
    A device is its own thing and no other.
    """

    async def test() -> None:
        one, other = fleet.add("one"), fleet.add("other")
        async with front_door(aws, tmp_path) as door:
            device = await door.dial(one, version=version)
            if version == V5:
                assert 0x87 == await device.connect(other.name)
            else:
                with pytest.raises(GoneError):
                    await device.connect(other.name)
            await device.hang_up()
            assert "which is no thing its certificate is attached to" in door.journal[-1].why

    asyncio.run(test())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "INACTIVE"}, "its certificate is INACTIVE"),
        ({"status": "REVOKED"}, "its certificate is REVOKED"),
        ({"policy": False}, "its certificate has no policy"),
    ],
)
def test_who_is_refused(aws: Addresses, fleet: Fleet, tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    """
    Closed without CONNACK, the reason in the log.
    """

    async def test() -> None:
        identity = fleet.add("device", **changes)
        async with front_door(aws, tmp_path) as door:
            device = await door.dial(identity)
            with pytest.raises(GoneError):
                await device.connect(identity.name)
            await device.hang_up()
            assert why == door.journal[-1].why

    asyncio.run(test())


def test_an_expired_certificate_is_refused(aws: Addresses, tmp_path: Path) -> None:
    """
    Though it is registered and ACTIVE; TLS lets it pass, so that the log can say why.
    """

    async def test() -> None:
        fleet = Fleet(aws, tmp_path)
        fleet.maker = Factory("Old CA", now=datetime.now(UTC) - timedelta(days=30))
        identity = fleet.add("old", days=10)
        async with front_door(aws, tmp_path) as door:
            assert "its certificate expired" in (await door.refused(identity)).why

    asyncio.run(test())


@pytest.mark.parametrize("server_name", [None, "example.com"])
def test_the_server_name_is_required(aws: Addresses, fleet: Fleet, tmp_path: Path, server_name: str | None) -> None:
    """
    As on AWS, and the log says so.
    """

    async def test() -> None:
        identity = fleet.add("device")
        async with front_door(aws, tmp_path) as door:
            refusal = await door.refused(identity, server_name=server_name)
            expected = "it asked for the host 'example.com'" if server_name else "it sent no server name (SNI)"
            assert expected in refusal.why

    asyncio.run(test())


def test_further_host_names(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    The front door has every name it was given, in its certificate too.
    """

    async def test() -> None:
        identity = fleet.add("device")
        async with front_door(aws, tmp_path, names=("iot.example.com",)) as door:
            device = await door.dial(identity, server_name="iot.example.com")
            assert 0 == await device.connect(identity.name)
            await device.hang_up()

    asyncio.run(test())


async def _goes(door: Door, fleet: Fleet, identity: Identity, version: int) -> int | None:
    device = await door.online(identity, version=version)
    fleet.set_status(identity, "INACTIVE")
    reason = await device.gone()
    await device.hang_up()
    return reason


@pytest.mark.parametrize(("version", "reason"), [(V311, None), (V5, 0x87)])
def test_a_deactivated_device_is_disconnected(
    aws: Addresses, fleet: Fleet, tmp_path: Path, version: int, reason: int | None
) -> None:
    """
    Soon, and others stay.
    """

    async def test() -> None:
        bad, good = fleet.add("bad"), fleet.add("good")
        async with front_door(aws, tmp_path) as door:
            staying = await door.online(good)
            assert reason == await _goes(door, fleet, bad, version)
            assert [] == await staying.heard_before_ping()
            await staying.hang_up()

    asyncio.run(test())


def test_a_policy_that_changes_holds_at_once(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    What it no longer allows is refused on the open connection; when it is detached the connection ends.
    """

    async def test() -> None:
        identity = fleet.add("device")
        topic = f"firstlight/{identity.name}/x"
        narrower = device_policy(aws)
        narrower["Statement"] = narrower["Statement"][:1]
        async with front_door(aws, tmp_path) as door:
            device = await door.online(identity)
            assert 0 == await device.publish(topic, b"1")
            fleet.site.iot.create_policy_version(
                policyName=fleet.site.policy_name, policyDocument=json.dumps(narrower), setAsDefault=True
            )

            async def is_refused() -> bool:
                return await device.publish(topic, b"2") == 0x87

            assert await soon(is_refused)
            certificate = fleet.site.iot.describe_certificate(certificateId=identity.certificate.fingerprint)
            fleet.site.iot.detach_policy(
                policyName=fleet.site.policy_name, target=certificate["certificateDescription"]["certificateArn"]
            )
            assert 0x87 == await device.gone()
            await device.hang_up()

    asyncio.run(test())


def test_the_second_connection_takes_over(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    One client identifier, one connection: the first is told and closed.
    """

    async def test() -> None:
        identity = fleet.add("device")
        async with front_door(aws, tmp_path) as door:
            first = await door.online(identity)
            second = await door.online(identity)
            assert 0x8E == await first.gone()
            assert 0 == await second.publish(f"dt/{identity.name}/x", b"1")
            await first.hang_up()
            await second.hang_up()
            assert await soon(lambda: door.front_door.connections == 0)

    asyncio.run(test())


def test_a_kept_session_over_the_wire(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    What came with QoS 1 while the device was away is there when it is back.
    """

    async def test() -> None:
        identity = fleet.add("device")
        topic = f"firstlight/{identity.name}/x"
        async with front_door(aws, tmp_path) as door:
            device = await door.dial(identity)
            await device.connect(identity.name, clean=False, expiry=600)
            await device.subscribe(topic)
            await device.hang_up()
            assert await soon(lambda: door.front_door.connections == 0)
            door.front_door.publish(Message(topic, b"while you were away", qos=1))
            back = await door.dial(identity)
            await back.connect(identity.name, clean=False)
            assert (True, (topic, b"while you were away")) == (back.session_present, await back.receive())
            await back.hang_up()

    asyncio.run(test())


def test_the_largest_payload(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    128 KiB come through, one byte more ends the connection.
    """

    async def test() -> None:
        identity = fleet.add("device")
        topic = f"firstlight/{identity.name}/x"
        payload = b"x" * 128 * 1024
        async with front_door(aws, tmp_path) as door:
            device = await door.online(identity)
            await device.subscribe(topic)
            assert 0 == await device.publish(topic, payload)
            assert (topic, payload) == await device.receive()
            device.write(device.publication(topic, payload + b"x"))
            assert 0x95 == await device.gone()
            await device.hang_up()

    asyncio.run(test())


def test_a_deleted_device_goes(aws: Addresses, fleet: Fleet, tmp_path: Path) -> None:
    """
    A certificate that is no longer registered is no longer welcome; so a wiped laptop is an empty one.
    """

    async def test() -> None:
        identity = fleet.add("device")
        iot, certificate_id = fleet.site.iot, identity.certificate.fingerprint
        async with front_door(aws, tmp_path) as door:
            device = await door.online(identity)
            iot.detach_thing_principal(
                thingName=identity.name, principal=f"arn:aws:iot:{aws.region}:{aws.account}:cert/{certificate_id}"
            )
            fleet.set_status(identity, "INACTIVE")
            iot.delete_certificate(certificateId=certificate_id, forceDelete=True)
            assert 0x87 == await device.gone()
            await device.hang_up()
            assert "its certificate is not registered" in (await door.refused(identity)).why

    asyncio.run(test())
