"""
Just-in-time provisioning end to end: a device, the front door, the laptop's AWS.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from awscrt import mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder
from paho.mqtt.enums import CallbackAPIVersion

from firstlight.jitp import template
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from tests.factory import Factory
from tests.local.front_doors import Door, front_door, soon
from tests.local.jitp_site import ACTIONS, JitpSite, device_policy
from tests.mqtt_device import V5, V311, Identity

REGION = "eu-west-1"
LIGHT = json.dumps({"success": "JITP works!"}).encode()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with ControlPlane(tmp_path_factory.mktemp("aws"), region=REGION) as running:
        yield Addresses(endpoint_url=running.endpoint_url, region=REGION, account=running.account, credentials=ROOT)


@pytest.fixture
def maker() -> Factory:
    return Factory("Maker CA", now=datetime.now(UTC))


def device(maker: Factory, folder: Path, name: str, *, chain: bool = False) -> Identity:
    certificate, key = maker.device(name)
    return Identity.written(folder / "devices", certificate, key, *([maker.ca] if chain else []))


def with_paho(door: Door, identity: Identity) -> list[bytes]:
    """
    Return what a paho client heard on its own topic; it connects until it is let in.
    """
    topic, heard, done = f"firstlight/{identity.name}/verify", [], threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=identity.name, protocol=paho.MQTTv311)
    client.tls_set(str(door.ca_file), str(identity.certificate_file), str(identity.key_file))
    client.reconnect_delay_set(min_delay=1, max_delay=1)
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: client.publish(topic, LIGHT, 1)

    def on_message(_: Any, __: Any, message: paho.MQTTMessage) -> None:
        heard.append(message.payload)
        done.set()

    client.on_message = on_message
    client.connect_async("localhost", door.port)
    client.loop_start()
    done.wait(20)
    client.disconnect()
    client.loop_stop()
    return heard


def with_awscrt_5(door: Door, identity: Identity) -> list[bytes]:
    """
    As `with_paho`; this client retries by itself.
    """
    topic, heard = f"firstlight/{identity.name}/verify", []
    connected, done, stopped = threading.Event(), threading.Event(), threading.Event()

    def on_publish(received: mqtt5.PublishReceivedData) -> None:
        heard.append(bytes(received.publish_packet.payload or b""))
        done.set()

    client = mqtt5_client_builder.mtls_from_path(
        endpoint="localhost",
        port=door.port,
        cert_filepath=str(identity.certificate_file),
        pri_key_filepath=str(identity.key_file),
        ca_filepath=str(door.ca_file),
        client_id=identity.name,
        on_publish_received=on_publish,
        on_lifecycle_connection_success=lambda _: connected.set(),
        on_lifecycle_stopped=lambda _: stopped.set(),
    )
    client.start()
    connected.wait(20)
    client.subscribe(
        mqtt5.SubscribePacket(subscriptions=[mqtt5.Subscription(topic_filter=topic, qos=mqtt5.QoS.AT_LEAST_ONCE)])
    ).result(20)
    client.publish(mqtt5.PublishPacket(topic=topic, payload=LIGHT, qos=mqtt5.QoS.AT_LEAST_ONCE)).result(20)
    done.wait(20)
    client.stop()
    stopped.wait(20)
    return heard


def with_awscrt_311(door: Door, identity: Identity) -> list[bytes]:
    """
    As `with_paho`; this client's first connect raises.
    """
    topic, heard, done = f"firstlight/{identity.name}/verify", [], threading.Event()
    connection = mqtt_connection_builder.mtls_from_path(
        endpoint="localhost",
        port=door.port,
        cert_filepath=str(identity.certificate_file),
        pri_key_filepath=str(identity.key_file),
        ca_filepath=str(door.ca_file),
        client_id=identity.name,
        clean_session=True,
    )
    with pytest.raises(Exception, match="UNEXPECTED_HANGUP"):
        connection.connect().result(20)
    connection.connect().result(20)

    def on_message(topic: str, payload: bytes, **_: Any) -> None:
        heard.append(payload)
        done.set()

    connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, on_message)[0].result(20)
    connection.publish(topic, LIGHT, mqtt.QoS.AT_LEAST_ONCE)[0].result(20)
    done.wait(20)
    connection.disconnect().result(20)
    return heard


def test_paho_and_both_clients_of_the_vendor_get_through_jitp(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    Devices nobody announced, each with a client of its own: provisioned, connected, publishing, receiving.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        async with front_door(aws, tmp_path) as door:
            for client in (with_paho, with_awscrt_5, with_awscrt_311):
                identity = device(maker, tmp_path, client.__name__)
                assert [LIGHT] == await asyncio.to_thread(client, door, identity)
                assert "ACTIVE" == site.status(identity.certificate.fingerprint)
            assert [True] * 3 == [attempt.provisioned for attempt in door.front_door.attempts]

    asyncio.run(test())


@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("version", [V311, V5])
def test_what_jitp_leaves_in_the_registry(
    aws: Addresses, maker: Factory, tmp_path: Path, version: int, *, chain: bool
) -> None:
    """
    The thing with its attributes, the certificate on it, the policy on that; with the CA in the chain or not.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        identity = device(maker, tmp_path, f"thing-{site.suffix}", chain=chain)
        async with front_door(aws, tmp_path) as door:
            await (await door.first_light(identity, version=version)).hang_up()
        described = site.iot.describe_certificate(certificateId=identity.certificate.fingerprint)
        arn = described["certificateDescription"]["certificateArn"]
        assert ("ACTIVE", maker.ca.fingerprint) == (
            described["certificateDescription"]["status"],
            described["certificateDescription"]["caCertificateId"],
        )
        assert [arn] == site.iot.list_thing_principals(thingName=identity.name)["principals"]
        policies = site.iot.list_attached_policies(target=arn)["policies"]
        assert [site.policy_name] == [policy["policyName"] for policy in policies]
        assert {
            "certificateId": identity.certificate.fingerprint,
            "serialNumber": str(identity.certificate.x509.serial_number),
        } == site.iot.describe_thing(thingName=identity.name)["attributes"]

    asyncio.run(test())


def test_groups_and_type(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    The thing is of its type and in its groups.
    """

    async def test() -> None:
        site = JitpSite(aws, maker)
        kind, groups = f"Lamp-{site.suffix}", [f"north-{site.suffix}", f"lamps-{site.suffix}"]
        site.iot.create_thing_type(thingTypeName=kind)
        for group in groups:
            site.iot.create_thing_group(thingGroupName=group)
        site.deploy(body=template.build(policy_name=site.policy_name, thing_type=kind, thing_groups=groups))
        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            await (await door.first_light(identity)).hang_up()
        assert kind == site.iot.describe_thing(thingName=identity.name)["thingTypeName"]
        found = site.iot.list_thing_groups_for_thing(thingName=identity.name)["thingGroups"]
        assert groups == [group["groupName"] for group in found]

    asyncio.run(test())


def test_a_billing_group_is_left_out_and_said(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    The laptop's AWS has none, which the log says.
    """

    async def test() -> None:
        site = JitpSite(aws, maker)
        site.deploy(body=template.build(policy_name=site.policy_name, billing_group="maker"))
        async with front_door(aws, tmp_path) as door:
            await (await door.first_light(device(maker, tmp_path, f"thing-{site.suffix}"))).hang_up()
        assert "(the laptop AWS has no billing groups, so maker was left out)" in (tmp_path / "jitp.log").read_text()

    asyncio.run(test())


def test_an_inline_template_and_its_policy_document(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    The older way: the CA carries the template, the template the policy.
    """

    async def test() -> None:
        site = JitpSite(aws, maker)
        body = template.build(policy_name="unused")
        body["Resources"]["policy"]["Properties"] = {"PolicyDocument": json.dumps(device_policy(aws))}
        site.deploy(body=body, inline=True)
        async with front_door(aws, tmp_path) as door:
            for name in ("one", "two"):
                await (await door.first_light(device(maker, tmp_path, f"{name}-{site.suffix}"))).hang_up()

    asyncio.run(test())


def test_a_foreign_device_is_refused_and_leaves_nothing(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    A CA of the same name with another key is another CA.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        stranger = device(Factory(maker.name, now=maker.now), tmp_path, f"stranger-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            assert "no registered ACTIVE CA signed it" in (await door.refused(stranger)).why
        assert "" == site.status(stranger.certificate.fingerprint)

    asyncio.run(test())


def test_cas_of_the_same_name(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    Each device is provisioned by the CA that signed it.
    """

    async def test() -> None:
        twin = Factory(maker.name, now=maker.now)
        sites = [JitpSite(aws, factory).deploy() for factory in (twin, maker)]
        async with front_door(aws, tmp_path) as door:
            for factory, site in ((maker, sites[1]), (twin, sites[0])):
                await (await door.first_light(device(factory, tmp_path, f"thing-{site.suffix}"))).hang_up()
                attempt = door.front_door.attempts[-1]
                assert (factory.ca.fingerprint, site.template_name) == (attempt.issuer_id, attempt.template)

    asyncio.run(test())


def no_policy(site: JitpSite) -> str:
    site.deploy(body=template.build(policy_name="Missing"))
    return "The policy Missing, which the template names, does not exist."


def no_type(site: JitpSite) -> str:
    site.deploy(body=template.build(policy_name=site.policy_name, thing_type="Missing"))
    return "The thing type Missing, which the template names, does not exist."


def no_group(site: JitpSite) -> str:
    site.deploy(body=template.build(policy_name=site.policy_name, thing_groups=["Missing"]))
    return "The thing group Missing, which the template names, does not exist."


def no_value(site: JitpSite) -> str:
    body = template.build(policy_name=site.policy_name, attributes={"country": template.PREFIX + "Country"})
    del body["Parameters"][template.PREFIX + "Country"]["Default"]
    site.deploy(body=body)
    return "The certificate has no Country in its subject, and the template's parameter has no Default."


def bad_attribute(site: JitpSite) -> str:
    site.deploy(body=template.build(policy_name=site.policy_name, attributes={"maker": "Two Words"}))
    return "AWS IoT does not take 'Two Words' as the attribute maker."


def no_template(site: JitpSite) -> str:
    site.deploy()
    site.iot.delete_provisioning_template(templateName=site.template_name)
    return f"The provisioning template {site.template_name}, which the CA names, does not exist."


def disabled(site: JitpSite) -> str:
    site.deploy(enabled=False)
    return f"The provisioning template {site.template_name} is not enabled."


def no_role(site: JitpSite) -> str:
    site.deploy()
    site.iam.delete_role_policy(RoleName=site.role_name, PolicyName="Provision")
    site.iam.delete_role(RoleName=site.role_name)
    return f"The provisioning role {site.role_name} does not exist."


def another_account_trusted(site: JitpSite) -> str:
    site.deploy(source_account="210987654321")
    return f"The provisioning role {site.role_name} does not let AWS IoT assume it."


def may_not_attach(site: JitpSite) -> str:
    site.deploy(actions=[action for action in ACTIONS if action != "AttachPolicy"])
    return f"The provisioning role {site.role_name} may not iot:AttachPolicy on "


def conflict(site: JitpSite) -> str:
    body = template.build(policy_name=site.policy_name)
    body["Resources"]["thing"]["OverrideSettings"] = {"AttributePayload": "FAIL"}
    site.deploy(body=body)
    site.iot.create_thing(thingName=f"thing-{site.suffix}", attributePayload={"attributes": {"somebody": "else"}})
    return f"The thing thing-{site.suffix} exists with other attributes, which the template does not override."


BROKEN = [
    no_policy,
    no_type,
    no_group,
    no_value,
    bad_attribute,
    no_template,
    disabled,
    no_role,
    another_account_trusted,
    may_not_attach,
    conflict,
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_failed_run_is_explained(
    aws: Addresses, maker: Factory, tmp_path: Path, broken: Callable[[JitpSite], str]
) -> None:
    """
    The certificate stays PENDING_ACTIVATION, the log has the reason, each new connection tries again.
    """

    async def test() -> None:
        site = JitpSite(aws, maker)
        sentence = broken(site)
        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            for _ in range(2):
                assert f"JITP failed: {sentence}" in (await door.refused(identity)).why
        assert "PENDING_ACTIVATION" == site.status(identity.certificate.fingerprint)
        lines = (tmp_path / "jitp.log").read_text().splitlines()
        assert [True, True] == [f"FAILED {sentence}" in line for line in lines]

    asyncio.run(test())


def test_a_role_of_managed_policies_within_a_boundary(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    What a role may do is read wherever IAM keeps it.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy(actions=["RegisterThing"])
        everything = [f"iot:{action}" for action in ACTIONS]

        def managed(name: str, actions: list[str]) -> str:
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
            }
            created = site.iam.create_policy(PolicyName=f"{name}-{site.suffix}", PolicyDocument=json.dumps(document))
            return str(created["Policy"]["Arn"])

        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            assert "may not iot:DescribeCertificate" in (await door.refused(identity)).why
            site.iam.attach_role_policy(RoleName=site.role_name, PolicyArn=managed("Provision", everything))
            boundary = managed("Boundary", [a for a in everything if a != "iot:CreateThing"])
            site.iam.put_role_permissions_boundary(RoleName=site.role_name, PermissionsBoundary=boundary)
            assert "may not iot:CreateThing" in (await door.refused(identity)).why
            site.iam.delete_role_permissions_boundary(RoleName=site.role_name)
            assert "provisioned just in time" in (await door.refused(identity)).why

    asyncio.run(test())


def test_an_illegal_thing_name(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    A common name with a space is no thing's name.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        identity = device(maker, tmp_path, f"thing {site.suffix}")
        async with front_door(aws, tmp_path) as door:
            assert "as ThingName" in (await door.refused(identity, "x")).why
        assert "PENDING_ACTIVATION" == site.status(identity.certificate.fingerprint)

    asyncio.run(test())


def test_what_was_mended_works_at_once(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    The role gets its action, the same device comes online; a template is enabled, likewise.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy(actions=["RegisterThing"], enabled=False)
        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            assert "is not enabled" in (await door.refused(identity)).why
            site.iot.update_provisioning_template(templateName=site.template_name, enabled=True)
            assert "may not iot:DescribeCertificate" in (await door.refused(identity)).why
            site.allow(ACTIONS)
            assert "provisioned just in time" in (await door.refused(identity)).why
            await (await door.online(identity)).hang_up()

    asyncio.run(test())


@pytest.mark.parametrize("switch", ["newStatus=INACTIVE", "newAutoRegistrationStatus=DISABLE"])
def test_a_ca_that_is_switched_off_registers_nothing(
    aws: Addresses, maker: Factory, tmp_path: Path, switch: str
) -> None:
    """
    Devices it let in before stay in.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        early, late = device(maker, tmp_path, f"early-{site.suffix}"), device(maker, tmp_path, f"late-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            await (await door.first_light(early)).hang_up()
            name, _, value = switch.partition("=")
            site.iot.update_ca_certificate(certificateId=site.ca_id, **{name: value})
            assert "its certificate is not registered" in (await door.refused(late)).why
            await (await door.online(early)).hang_up()
        assert "" == site.status(late.certificate.fingerprint)

    asyncio.run(test())


def test_the_event_reaches_who_subscribes_to_it(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    Also when the device comes again while it is pending.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy(enabled=False)
        events = f"$aws/events/certificates/registered/{site.ca_id}"
        everything = {"Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}
        watcher = JitpSite(aws, Factory("Watchers", now=maker.now)).deploy(policy=everything)
        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            watching = await door.first_light(device(watcher.maker, tmp_path, f"watcher-{site.suffix}"))
            assert [1] == await watching.subscribe(events)
            await door.refused(identity)
            await door.refused(identity)
            heard = [await watching.receive() for _ in range(2)]
            await watching.hang_up()
        first, second = (json.loads(payload) for _, payload in heard)
        assert {events} == {topic for topic, _ in heard}
        assert (identity.certificate.fingerprint, None) == (
            first["certificateId"],
            first["certificateRegistrationTimestamp"],
        )
        assert second["certificateRegistrationTimestamp"].isdigit()

    asyncio.run(test())


def test_impatient_devices_are_provisioned_once(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    Twenty connections of one device at the same moment.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        identity = device(maker, tmp_path, f"thing-{site.suffix}")
        async with front_door(aws, tmp_path) as door:
            devices = await asyncio.gather(*(door.dial(identity) for _ in range(20)))
            results = await asyncio.gather(*(d.connect(identity.name) for d in devices), return_exceptions=True)
            assert 20 == len(results)
            await asyncio.gather(*(d.hang_up() for d in devices))
            assert [True] == [attempt.provisioned for attempt in door.front_door.attempts]
            await (await door.online(identity)).hang_up()

    asyncio.run(test())


def test_fifty_unknown_devices_at_once(aws: Addresses, maker: Factory, tmp_path: Path) -> None:
    """
    All of them come online, each provisioned once.
    """

    async def test() -> None:
        site = JitpSite(aws, maker).deploy()
        identities = [device(maker, tmp_path, f"thing-{n}-{site.suffix}") for n in range(50)]
        async with front_door(aws, tmp_path, remember=2.0) as door:
            devices = await asyncio.gather(*(door.first_light(identity) for identity in identities))
            assert 50 == door.front_door.connections
            assert [0] * 50 == await asyncio.gather(
                *(d.publish(f"dt/{i.name}/x", b"1") for d, i in zip(devices, identities, strict=True))
            )
            await asyncio.gather(*(d.hang_up() for d in devices))
            assert [True] * 50 == [attempt.provisioned for attempt in door.front_door.attempts]
            assert await soon(lambda: door.front_door.connections == 0)

    asyncio.run(test())
