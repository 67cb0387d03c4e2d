"""
IoT Hub's decision at CONNECT and its topics, without sockets.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.azure_cloud import device_topics, hub_devices, twins
from firstlight.local.azure_cloud.device_topics import Request
from firstlight.local.azure_cloud.hub_devices import HubClient
from firstlight.local.azure_cloud.world import CaCertificate, Device, Hub, Twin, World
from firstlight.local.mqtt import Hello, Reason
from tests.factory import NOW, Factory

HOST = "hub1.azure-devices.net"


def hello(certificate: Certificate | None, device_id: str = "dev-a", **other: Any) -> Hello:
    given = {
        "client_id": device_id,
        "username": f"{HOST}/{device_id}/?api-version=2021-04-12",
        "server_name": HOST,
        **other,
    }
    return Hello(certificate=certificate, address="127.0.0.1", version=4, **given)


@pytest.fixture
def hub() -> Hub:
    return Hub("hub1")


def why(hub: Hub, said: Hello, now: Any = NOW) -> str:
    with pytest.raises(SessionError) as raised:
        hub_devices.admit(said, World(hubs={hub.name: hub}), now)
    return raised.value.reason


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"username": None}, "username"),
        ({"username": f"{HOST}/dev-a"}, "username"),
        ({"username": f"{HOST}/dev-a/module/?api-version=2021-04-12"}, "username"),
        ({"username": f"{HOST}/dev-a/?version=1"}, "username"),
        ({"client_id": "dev-b"}, "username"),
        ({"server_name": "hub2.azure-devices.net"}, "server-name-differs"),
        ({"server_name": ""}, "server-name-differs"),
        ({"username": "hub2.azure-devices.net/dev-a/?api-version=2021-04-12"}, "host-unknown"),
    ],
)
def test_what_a_device_must_say(hub: Hub, factory: Factory, other: dict[str, Any], expected: str) -> None:
    """
    Hub and device in the user name, the hub in TLS, the device as client id.
    """
    leaf = factory.leaf()
    hub.devices["dev-a"] = Device("dev-a", kind="selfSigned", primary=leaf.fingerprint)
    assert expected == why(hub, hello(leaf, **other))


def test_a_certificate_out_of_its_validity(hub: Hub, factory: Factory) -> None:
    leaf = factory.leaf()
    hub.devices["dev-a"] = Device("dev-a", kind="selfSigned", primary=leaf.fingerprint)
    assert "out-of-date" == why(hub, hello(leaf), NOW + timedelta(days=9999))


def test_a_certificate_that_cannot_be_read(hub: Hub) -> None:
    hub.devices["dev-a"] = Device("dev-a", kind="selfSigned", primary="0" * 64)
    assert "certificate-unusable" == why(hub, hello(None))


def test_an_identity_without_a_thumbprint_lets_nobody_in(hub: Hub, factory: Factory) -> None:
    """
    IoT Hub takes such an identity; an empty thumbprint is no thumbprint.
    """
    hub.devices["dev-a"] = Device("dev-a", kind="selfSigned")
    assert "thumbprint-differs" == why(hub, hello(factory.leaf()))


@pytest.mark.parametrize("kind", ["sas", "none"])
def test_an_identity_without_certificates(hub: Hub, factory: Factory, kind: str) -> None:
    hub.devices["dev-a"] = Device("dev-a", kind=kind)
    assert "authenticates-otherwise" == why(hub, hello(factory.leaf()))


def test_a_device_is_no_issuer(hub: Hub, factory: Factory) -> None:
    """
    What a verified CA's device has signed is not let in, whatever chain is sent.
    """
    stolen, stolen_key = factory.device("thief")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dev-a")])
    signed = (
        x509.CertificateBuilder(issuer_name=stolen.x509.subject, subject_name=name, serial_number=7)
        .public_key(stolen_key.public_key())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(stolen_key, hashes.SHA256())
    )
    forged = Certificate(signed, signed.public_bytes(Encoding.DER))
    hub.devices["dev-a"] = Device("dev-a", kind="certificateAuthority")
    hub.certificates["ca"] = CaCertificate("ca", factory.ca, verified=True)
    assert "chain-incomplete" == why(hub, hello(forged, chain=(stolen, factory.ca)))


def test_a_ca_of_the_same_name_is_another(hub: Hub, factory: Factory) -> None:
    """
    The key decides.
    """
    hub.devices["dev-a"] = Device("dev-a", kind="certificateAuthority")
    hub.certificates["ca"] = CaCertificate("ca", Factory(factory.name).ca, verified=True)
    assert "ca-unknown" == why(hub, hello(factory.leaf("dev-a"), chain=(factory.ca,)))


def test_the_issuer_need_not_be_sent_when_it_is_the_verified_one(hub: Hub, factory: Factory) -> None:
    hub.devices["dev-a"] = Device("dev-a", kind="certificateAuthority")
    hub.certificates["ca"] = CaCertificate("ca", factory.ca, verified=True)
    client = hub_devices.admit(hello(factory.leaf("dev-a")), World(hubs={"hub1": hub}), NOW)
    assert ("dev-a", f"{HOST}/dev-a") == (client.device_id, client.session)


@pytest.mark.parametrize(
    "topic",
    [
        "devices/dev-a/messages/events",
        "devices/dev-a/messages/events/",
        "devices/dev-a/messages/events/a=b&%24.ct=text%2Fplain",
        "$iothub/twin/GET/?$rid=1",
        "$iothub/twin/PATCH/properties/reported/?$rid=1",
        "$iothub/methods/res/200/?$rid=1",
    ],
)
def test_what_a_device_may_publish_to(hub: Hub, topic: str) -> None:
    assert Reason.SUCCESS == HubClient(hub, "dev-a").publish_refusal(topic, retain=False)


@pytest.mark.parametrize(
    "topic",
    [
        "devices/dev-b/messages/events/",
        "devices/dev-a/messages/eventsX",
        "devices/dev-a/messages/events/a/b",
        "devices/dev-a/messages/devicebound/",
        "dt/dev-a/x",
        "$iothub/twin/GET/",
        "$iothub/twin/GET/?$rid=",
        "$iothub/methods/res/ok/?$rid=1",
        "$iothub/twin/PATCH/properties/desired/?$rid=1",
    ],
)
def test_any_other_topic_is_refused(hub: Hub, topic: str) -> None:
    """
    In MQTT 3.1.1 that ends the connection.
    """
    assert Reason.TOPIC_NAME_INVALID == HubClient(hub, "dev-a").publish_refusal(topic, retain=False)


def test_a_device_subscribes_to_its_own_only(hub: Hub) -> None:
    client = HubClient(hub, "dev-a")
    assert Reason.SUCCESS == client.subscribe_refusal("devices/dev-a/messages/devicebound/#")
    assert Reason.NOT_AUTHORIZED == client.subscribe_refusal("devices/+/messages/devicebound/#")
    assert Reason.NOT_AUTHORIZED == client.subscribe_refusal("#")


def test_requests_are_read() -> None:
    """
    Names and values are URL-encoded; a plus is a plus.
    """
    assert Request("report", "a+b") == device_topics.hub_request("$iothub/twin/PATCH/properties/reported/?$rid=a+b")
    assert Request("answer", "1f", status=404) == device_topics.hub_request("$iothub/methods/res/404/?$rid=1f")
    status = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=4.a%2Eb"
    assert Request("status", "2", operation_id="4.a.b") == device_topics.dps_request(status)


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'{"$version": 3}', b'{"a": "' + b"x" * 32_768 + b'"}'])
def test_a_report_that_cannot_be_leaves_the_twin_alone(payload: bytes) -> None:
    twin = Twin(reported={"a": 1})
    before = replace(twin)
    assert twins.report(twin, payload) is None
    assert before == twin
