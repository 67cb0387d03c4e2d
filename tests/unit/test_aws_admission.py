"""
Who AWS IoT lets in at CONNECT, and what they may do then.
"""

import asyncio
import json
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from firstlight.errors import RegistryError
from firstlight.local.aws_iot.registry import RegisteredThing
from firstlight.local.mqtt import Message, Reason
from tests.aws_iot_memory import PLACE, MemoryAwsIot, device_policy
from tests.factory import NOW, Factory
from tests.front_door_cases import Case


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


@pytest.fixture
def aws() -> MemoryAwsIot:
    return MemoryAwsIot(policies={"Device": device_policy()})


def test_a_registered_device_is_let_in(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    ACTIVE, a policy that allows it, its client id the thing its certificate is attached to.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            assert "thing=device-1" == (await case.admit(leaf)).name

    run(test())


@pytest.mark.parametrize(
    ("server_name", "sentence"),
    [("", "it sent no server name (SNI)"), ("example.com", "it asked for the host 'example.com'")],
)
def test_the_server_name_must_be_right(aws: MemoryAwsIot, factory: Factory, server_name: str, sentence: str) -> None:
    """
    As on AWS, a client without SNI, or with another host's, is not served.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            assert sentence in (await case.refuse(leaf, server_name=server_name)).why

    run(test())


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED", "PENDING_TRANSFER"])
def test_a_certificate_that_is_not_active_is_refused(aws: MemoryAwsIot, factory: Factory, status: str) -> None:
    """
    And not told why: the connection closes without CONNACK.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, status, "Device", thing="device-1")
        async with Case(aws) as case:
            refusal = await case.refuse(leaf)
            assert (f"its certificate is {status}", None) == (refusal.why, refusal.reason)

    run(test())


@pytest.mark.parametrize(("days", "sentence"), [(731, "expired"), (-1, "is not valid before")])
def test_a_certificate_out_of_its_time_is_refused(
    aws: MemoryAwsIot, factory: Factory, days: int, sentence: str
) -> None:
    """
    Registered or not.
    """

    async def test() -> None:
        leaf, unknown = factory.leaf("device-1"), factory.leaf("device-2")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws, now=lambda: NOW + timedelta(days=days)) as case:
            assert sentence in (await case.refuse(leaf)).why
            assert sentence in (await case.refuse(unknown)).why
            assert unknown.fingerprint not in aws.known

    run(test())


def test_a_certificate_nobody_can_read_is_refused(aws: MemoryAwsIot) -> None:
    """
    What the TLS library took for one and ours does not.
    """

    async def test() -> None:
        async with Case(aws) as case:
            assert "its certificate cannot be read" == (await case.refuse(None)).why

    run(test())


@pytest.mark.parametrize("policies", [(), ("Deleted",)])
def test_without_a_policy_there_is_no_connection(
    aws: MemoryAwsIot, factory: Factory, policies: tuple[str, ...]
) -> None:
    """
    As on AWS, which closes such a connection too.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", *policies, thing="device-1")
        async with Case(aws) as case:
            assert "its certificate has no policy" == (await case.refuse(leaf)).why

    run(test())


@pytest.mark.parametrize(("version", "reason"), [(5, Reason.NOT_AUTHORIZED), (4, None)])
def test_another_client_id_is_not_authorized(
    aws: MemoryAwsIot, factory: Factory, version: int, reason: Reason | None
) -> None:
    """
    MQTT 5 is told in CONNACK, 3.1.1 sees the connection close.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            refusal = await case.refuse(leaf, "device-2", version=version)
            assert reason is refusal.reason
            assert (
                "do not let it connect as 'device-2', which is no thing its certificate is attached to" in refusal.why
            )

    run(test())


def test_a_will_is_published_with_the_devices_rights(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    A will on a topic the device may not publish to refuses the connection.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            await case.admit(leaf, will=Message("dt/device-1/gone", b""))
            assert "do not let it connect" in (await case.refuse(leaf, will=Message("dt/other/gone", b""))).why
            await case.refuse(leaf, will=Message("dt/device-1/gone", b"", retain=True))

    run(test())


def test_a_registry_that_does_not_answer_lets_nobody_in(factory: Factory) -> None:
    """
    Its sentence is the reason in the log.
    """

    class Silent(MemoryAwsIot):
        def certificate(self, certificate_id: str) -> None:
            raise RegistryError("Looking the certificate up failed: nobody answers.")

    async def test() -> None:
        async with Case(Silent()) as case:
            assert "nobody answers" in (await case.refuse(factory.leaf("device-1"))).why

    run(test())


def test_what_a_device_may_do(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    Its own topics and nobody else's, each action by itself.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            device = await case.admit(leaf)
            assert [Reason.SUCCESS, Reason.NOT_AUTHORIZED, Reason.NOT_AUTHORIZED] == [
                device.publish_refusal("dt/device-1/x", retain=False),
                device.publish_refusal("dt/device-2/x", retain=False),
                # iot:RetainPublish is an action of its own
                device.publish_refusal("dt/device-1/x", retain=True),
            ]
            assert [Reason.SUCCESS, Reason.NOT_AUTHORIZED, Reason.NOT_AUTHORIZED] == [
                device.subscribe_refusal("dt/device-1/#"),
                device.subscribe_refusal("dt/+/x"),
                device.subscribe_refusal("#"),
            ]
            assert [True, False] == [device.may_receive("dt/device-1/x"), device.may_receive("dt/device-2/x")]

    run(test())


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("$aws/things/device-1/shadow/update", Reason.SUCCESS),
        ("$aws/rules/store/a/b/c/d/e/f/g/h", Reason.SUCCESS),
        ("$aws/rules/store/a/b/c/d/e/f/g/h/i", Reason.TOPIC_NAME_INVALID),
        ("$aws/events/certificates/registered/x", Reason.TOPIC_NAME_INVALID),
        ("$SYS/x", Reason.TOPIC_NAME_INVALID),
        ("1/2/3/4/5/6/7/8", Reason.SUCCESS),
        ("1/2/3/4/5/6/7/8/9", Reason.TOPIC_NAME_INVALID),
        ("x" * 256, Reason.SUCCESS),
        ("é" * 129, Reason.TOPIC_NAME_INVALID),
    ],
)
def test_reserved_and_oversized_topics(factory: Factory, topic: str, expected: Reason) -> None:
    """
    AWS's limits and reserved topics hold whatever the policy says.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws = MemoryAwsIot(policies={"All": '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'})
        aws.add(leaf, "ACTIVE", "All")
        async with Case(aws) as case:
            device = await case.admit(leaf)
            assert expected is device.publish_refusal(topic, retain=False)
            assert Reason.SUCCESS is device.subscribe_refusal("$aws/events/#")
            assert Reason.TOPIC_FILTER_INVALID is device.subscribe_refusal("$SYS/#")
            assert Reason.TOPIC_NAME_INVALID is device.publish_refusal("$aws/things/x/shadow/get", retain=True)

    run(test())


def test_a_policy_that_asks_for_attributes_gets_them(factory: Factory) -> None:
    """
    The thing's type and attributes are looked up when a policy uses them.
    """
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"iot:Connection.Thing.Attributes[site]": "north"}},
    }

    async def test() -> None:
        north, south = factory.leaf("north-1"), factory.leaf("south-1")
        aws = MemoryAwsIot(policies={"North": json.dumps({"Statement": statement})})
        aws.things |= {n: RegisteredThing(name=n, attributes={"site": n[:5]}) for n in ("north-1", "south-1")}
        aws.add(north, "ACTIVE", "North", thing="north-1")
        aws.add(south, "ACTIVE", "North", thing="south-1")
        async with Case(aws) as case:
            await case.admit(north, "north-1")
            await case.refuse(south, "south-1")

    run(test())


def test_rules_hear_what_devices_publish(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    Basic Ingest goes to rules only, everything else to subscribers as well.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            device = await case.admit(leaf)
            assert case.cloud.published(device, Message("$aws/rules/store/x", b""))
            assert not case.cloud.published(device, Message("dt/device-1/x", b""))

    run(test())


@pytest.mark.parametrize("change", ["revoke", "wipe", "detach", "policy"])
def test_who_is_no_longer_welcome(aws: MemoryAwsIot, factory: Factory, change: str) -> None:
    """
    A connection ends when its certificate or its policy no longer allows it; others stay.
    """

    async def test() -> None:
        bad, good = factory.leaf("bad"), factory.leaf("good")
        aws.policies["Other"] = device_policy()
        aws.add(bad, "ACTIVE", "Device", thing="bad")
        aws.add(good, "ACTIVE", "Other", thing="good")
        async with Case(aws) as case:
            one, other = await case.admit(bad, "bad"), await case.admit(good, "good")
            assert [] == list(await case.cloud.no_longer_welcome([one, other]))
            match change:
                case "revoke":
                    aws.set_status(bad.fingerprint, "REVOKED")
                case "wipe":
                    del aws.known[bad.fingerprint]
                case "detach":
                    aws.attached[PLACE.iot(f"cert/{bad.fingerprint}")].clear()
                case "policy":
                    aws.policies["Device"] = '{"Statement": []}'
            assert [one] == list(await case.cloud.no_longer_welcome([one, other]))

    run(test())


def test_a_changed_policy_holds_for_open_connections(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    What was remembered of the old one is forgotten.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")
        async with Case(aws) as case:
            device = await case.admit(leaf)
            assert Reason.NOT_AUTHORIZED is device.publish_refusal("shared/x", retain=False)
            aws.policies["Device"] = device_policy("shared/*")
            assert [] == list(await case.cloud.no_longer_welcome([device]))
            assert Reason.SUCCESS is device.publish_refusal("shared/x", retain=False)

    run(test())


def test_a_registry_that_does_not_answer_disconnects_nobody(aws: MemoryAwsIot, factory: Factory) -> None:
    """
    Not knowing is no reason to end what was allowed.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        aws.add(leaf, "ACTIVE", "Device", thing="device-1")

        def silent() -> dict[str, str]:
            raise RegistryError("nobody answers")

        async with Case(aws) as case:
            device = await case.admit(leaf)
            aws.statuses = silent  # type: ignore[method-assign]
            assert [] == list(await case.cloud.no_longer_welcome([device]))

    run(test())
