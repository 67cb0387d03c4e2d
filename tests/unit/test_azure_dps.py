"""
DPS's decision about a registration, and its answers, without sockets.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from firstlight import pki
from firstlight.errors import SessionError
from firstlight.local.azure_cloud import dps_devices
from firstlight.local.azure_cloud.dps_devices import DpsClient, Operations
from firstlight.local.azure_cloud.registration import Claim, register
from firstlight.local.azure_cloud.world import GLOBAL_DPS_HOST, CaCertificate, Dps, Enrollment, Hub, World
from firstlight.local.mqtt import Hello, Reason
from tests.factory import NOW, Factory

SCOPE = "0ne00000001"


@pytest.fixture
def world() -> World:
    hubs = {name: Hub(name) for name in ("hub1", "hub2")}
    dps = Dps("dps1", SCOPE, hubs=[hub.host for hub in hubs.values()])
    return World(hubs=hubs, services={"dps1": dps})


def why(world: World, claim: Claim, now: Any = NOW) -> str:
    with pytest.raises(SessionError) as raised:
        register(claim, world.services["dps1"], world, now)
    return raised.value.reason


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"username": "dev-a"}, "username"),
        ({"username": f"{SCOPE}/registrations/dev-a"}, "username"),
        ({"client_id": "dev-b"}, "username"),
        ({"username": "0ne0/registrations/dev-a/api-version=2019-03-31"}, "host-unknown"),
        ({"server_name": "dps2.azure-devices-provisioning.net"}, "server-name-differs"),
        ({"certificate": None}, "certificate-unusable"),
    ],
)
def test_what_a_device_must_say(world: World, factory: Factory, other: dict[str, Any], expected: str) -> None:
    """
    Id scope and registration id in the user name; the global host or the service's own in TLS.
    """
    given = {
        "client_id": "dev-a",
        "username": f"{SCOPE}/registrations/dev-a/api-version=2019-03-31&ClientVersion=x",
        "server_name": GLOBAL_DPS_HOST,
        "certificate": factory.leaf("dev-a"),
    }
    dps_devices.admit(Hello(address="127.0.0.1", version=4, **given), world)
    with pytest.raises(SessionError) as raised:
        dps_devices.admit(Hello(address="127.0.0.1", version=4, **{**given, **other}), world)
    assert expected == raised.value.reason


def test_an_inline_intermediate_needs_a_verified_ca_above_it(world: World, factory: Factory) -> None:
    """
    Or to be uploaded and verified itself; a verified CA below it does not do.
    """
    dps, key = world.services["dps1"], pki.new_key()
    intermediate = pki.create_ca("Middle", key=key, issuer=(factory.ca, factory.key), now=NOW)
    leaf = pki.issue_device(ca=intermediate, ca_key=key, key_or_public_key=pki.new_key(), common_name="dev-a", now=NOW)
    claim = Claim("dev-a", leaf, (intermediate,))
    dps.groups["g"] = Enrollment("g", certificate=intermediate)
    assert "chain-incomplete" == why(world, claim)
    dps.certificates["root"] = CaCertificate("root", factory.ca, verified=True)
    assert "g" == register(claim, dps, world, NOW)[0].enrollment
    dps.groups["g"] = Enrollment("g", certificate=factory.ca)
    dps.certificates = {"middle": CaCertificate("middle", intermediate, verified=True)}
    assert "ca-unknown" == why(world, claim)


def test_an_expired_ca_lets_nobody_in(world: World, factory: Factory) -> None:
    dps = world.services["dps1"]
    old = Factory("Old CA", now=NOW - timedelta(days=3640))
    dps.certificates["old"] = CaCertificate("old", old.ca, verified=True)
    dps.groups["g"] = Enrollment("g", ca_name="old")
    claim = Claim("dev-a", old.leaf("dev-a"))
    assert "out-of-date" == why(world, claim, NOW + timedelta(days=60))


def test_a_common_name_that_is_no_id(world: World, factory: Factory) -> None:
    """
    The two quotes of a security chip's factory are nobody's registration id.
    """
    assert "common-name-differs" == why(world, Claim("15fc8ea1", factory.leaf('""')))


def test_devices_are_spread_and_stay_where_they_are(world: World, factory: Factory) -> None:
    """
    Over all linked hubs; the same device is assigned to the same hub again, also when there are more hubs.
    """
    dps = world.services["dps1"]
    dps.certificates["ca"] = CaCertificate("ca", factory.ca, verified=True)
    dps.groups["g"] = Enrollment("g", ca_name="ca")
    claims = [Claim(f"dev-{n}", factory.leaf(f"dev-{n}")) for n in range(16)]
    first = [register(claim, dps, world, NOW)[0].hub_host for claim in claims]
    world.hubs["hub3"] = Hub("hub3")
    dps.hubs.insert(0, world.hubs["hub3"].host)
    assert {"hub1.azure-devices.net", "hub2.azure-devices.net"} == set(first)
    assert first == [register(claim, dps, world, NOW)[0].hub_host for claim in claims]


def test_an_operation_is_its_devices_own(world: World, factory: Factory) -> None:
    """
    Nobody learns another's assignment by its operation id.
    """
    dps, operations = world.services["dps1"], Operations()
    one, other = (DpsClient(dps, Claim(name, factory.leaf(name))) for name in ("one", "other"))
    operation_id = operations.begin(one, {"status": "assigned"})
    assert {"operationId": operation_id, "status": "assigned"} == operations.ended(one, operation_id)
    assert operations.ended(other, operation_id) is None
    assert operations.ended(one, "4.none") is None


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("chain-incomplete", "CA certificate not found."),
        ("ca-unverified", "CA certificate not found."),
        ("common-name-differs", "Invalid certificate."),
        ("disabled", "Unauthorized"),
        ("no-enrollment", "Unauthorized"),
    ],
)
def test_a_refusal_is_told_as_dps_tells_it(reason: str, message: str) -> None:
    status, body = dps_devices.refusal(SessionError("what only the log says", reason=reason), NOW)
    told = json.loads(body)
    assert (401, 401002, message) == (status, told["errorCode"], told["message"])
    assert "what only" not in body.decode()


def test_what_a_device_may_publish_and_subscribe_to(world: World, factory: Factory) -> None:
    client = DpsClient(world.services["dps1"], Claim("dev-a", factory.leaf("dev-a")))
    publish: Callable[[str], Reason] = lambda topic: client.publish_refusal(topic, retain=False)  # noqa: E731 -- short
    assert Reason.SUCCESS == publish("$dps/registrations/PUT/iotdps-register/?$rid=1")
    assert Reason.TOPIC_NAME_INVALID == publish("$dps/registrations/PUT/iotdps-register/")
    assert Reason.TOPIC_NAME_INVALID == publish("devices/dev-a/messages/events/")
    assert Reason.SUCCESS == client.subscribe_refusal("$dps/registrations/res/#")
    assert Reason.NOT_AUTHORIZED == client.subscribe_refusal("$dps/#")
