"""
The allow-list of first connects: who comes in, what is made of them, and who stays out.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.errors import RegistryError, RequestError
from firstlight.first_connect import event
from firstlight.first_connect.allow_list import Outcome
from firstlight.jitp import meaning, template
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_operations import Call
from tests.factory import NOW, Factory
from tests.faults import virtual_time
from tests.first_connect_world import TEMPLATE, Thing, World


@pytest.fixture
def world(factory: Factory) -> World:
    world = World()
    world.registers(factory.ca)
    return world


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_an_announced_device_is_what_jitp_makes_of_it(factory: Factory) -> None:
    """
    The same template, the same result: thing, type, groups, policy, and ACTIVE last.
    """

    async def test() -> None:
        body = template.build(
            policy_name="Device", thing_type="sensor", thing_groups=("plant-7", "new"), billing_group="cost-7"
        )
        world = World(body=template.to_aws(body))
        world.registers(factory.ca)
        leaf = factory.leaf("device-1", serial=7)
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        verdict = await world.admits(event)
        resources = meaning.resolve(body, meaning.parameters(leaf))
        thing = world.things["device-1"]
        assert (Outcome.ADMITTED, "device-1") == (verdict.outcome, verdict.thing_name)
        assert (dict(resources.attributes), "sensor") == (thing.attributes, thing.thing_type)
        assert ["plant-7", "new", "cost-7"] == thing.groups
        assert {world.certificates[leaf.fingerprint]["certificateArn"]} == thing.principals == world.policies["Device"]
        assert "ACTIVE" == world.status(leaf)
        assert ["AttachPolicy", "AttachThingPrincipal", "DescribeCertificate", "UpdateCertificate", "DeleteItem"] == (
            world.calls[-5:]
        )

    run(test())


def test_who_was_not_announced_stays_out_and_costs_one_read(world: World, factory: Factory) -> None:
    """
    It stays PENDING_ACTIVATION, so an announcement that comes later lets it in at its next connect.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        assert Outcome.LEFT_OUT == (await world.admits(event)).outcome
        assert (["GetItem"], "PENDING_ACTIVATION", {}) == (world.calls, world.status(leaf), world.things)
        await world.announced(leaf)
        assert Outcome.ADMITTED == (await world.admits(event)).outcome

    run(test())


@pytest.mark.parametrize(("seconds", "outcome"), [(-1, Outcome.LEFT_OUT), (0, Outcome.LEFT_OUT), (1, Outcome.ADMITTED)])
def test_an_announcement_expires(world: World, factory: Factory, seconds: int, outcome: Outcome) -> None:
    """
    DynamoDB may keep an expired item for days, and it counts for nothing.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        await world.announced(leaf, expires=int(NOW.timestamp()) + seconds)
        assert outcome == (await world.admits(world.connects(leaf, factory.ca))).outcome

    run(test())


def test_an_announcement_admits_once(world: World, factory: Factory) -> None:
    """
    A device that was retired later, its certificate deleted, is not let in by an old announcement.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        assert Outcome.ADMITTED == (await world.admits(event)).outcome
        assert Outcome.LEFT_OUT == (await world.admits(world.connects(leaf, factory.ca))).outcome

    run(test())


def test_an_event_that_comes_twice_or_late_changes_nothing(world: World, factory: Factory) -> None:
    """
    Delivery is at least once, and two functions may run side by side.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        both = await asyncio.gather(*(world.admits(event) for _ in range(2)))
        assert {Outcome.ADMITTED, Outcome.KNOWN} >= {verdict.outcome for verdict in both}
        await world.announced(leaf)
        assert Outcome.KNOWN == (await world.admits(event)).outcome
        assert ("ACTIVE", ["device-1"], {}) == (world.status(leaf), list(world.things), world.items)

    run(test())


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED", "PENDING_TRANSFER"])
def test_what_an_operator_switched_off_stays_off(world: World, factory: Factory, status: str) -> None:
    """
    However often it was announced.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca, status=status)
        await world.announced(leaf)
        verdict = await world.admits(event)
        assert (Outcome.REFUSED, True) == (verdict.outcome, status in verdict.reason)
        assert (status, {}) == (world.status(leaf), world.things)
        assert [leaf.fingerprint] == list(world.items)

    run(test())


def test_a_certificate_revoked_meanwhile_is_not_activated(world: World, factory: Factory) -> None:
    """
    AWS IoT has no conditional activation, so it is looked at once more, last.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)

        def revoke(call: Call) -> None:
            if call.operation == "AttachThingPrincipal":
                world.certificates[leaf.fingerprint]["status"] = "REVOKED"

        world.before = revoke
        assert Outcome.REFUSED == (await world.admits(event)).outcome
        assert "REVOKED" == world.status(leaf)

    run(test())


def test_a_crash_between_any_two_calls_leaves_nothing_a_second_event_does_not_mend(factory: Factory) -> None:
    """
    Until the last call the certificate is not ACTIVE, and every call may be repeated.
    """

    async def interrupted(at: int) -> bool:
        world = World(body=template.to_aws(template.build(policy_name="Device", thing_groups=("plant-7",))))
        world.registers(factory.ca)
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        begun = len(world.calls)

        def refuse(call: Call) -> Answer | None:
            return Answer(call.operation, 403, "AccessDeniedException") if len(world.calls) - begun == at else None

        world.before = refuse
        try:
            await world.admits(event)
        except RegistryError:
            world.before = lambda _: None
            assert (await world.admits(event)).outcome in (Outcome.ADMITTED, Outcome.KNOWN)
        else:
            return False
        thing = world.things["device-1"]
        assert ("ACTIVE", ["plant-7"]) == (world.status(leaf), sorted(set(thing.groups)))
        assert (1, 1, {}) == (len(thing.principals), len(world.policies["Device"]), world.items)
        return True

    async def test() -> None:
        steps = [await interrupted(at) for at in range(1, 13)]
        assert [True] * 11 + [False] == steps

    run(test())


def _unregister(world: World, ca: Certificate) -> None:
    del world.cas[ca.fingerprint]


def _deactivate(world: World, ca: Certificate) -> None:
    world.cas[ca.fingerprint]["certificateDescription"]["status"] = "INACTIVE"


def _stop(world: World, ca: Certificate) -> None:
    world.cas[ca.fingerprint]["certificateDescription"]["autoRegistrationStatus"] = "DISABLE"


def _give_another_template(world: World, ca: Certificate) -> None:
    world.registers(ca, templateName="Another")


def _impersonate(world: World, ca: Certificate) -> None:
    world.cas[ca.fingerprint]["certificateDescription"]["certificatePem"] = Factory("Another CA").ca.pem


@pytest.mark.parametrize("change", [_unregister, _deactivate, _stop, _give_another_template, _impersonate])
def test_a_certificate_of_no_ca_of_the_region_stays_out(world: World, factory: Factory, change: Any) -> None:
    """
    The CA is registered, ACTIVE, registers devices, provisions none by itself, and signed the certificate.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        change(world, factory.ca)
        verdict = await world.admits(event)
        assert (Outcome.REFUSED, {}) == (verdict.outcome, world.things), verdict.reason
        assert "PENDING_ACTIVATION" == world.status(leaf)

    run(test())


def test_an_event_that_names_another_ca_brings_nobody_in(world: World, factory: Factory) -> None:
    """
    Not even one of the same key and name, as a renewed CA is: AWS IoT says whose the certificate is, not the event.
    """

    async def test() -> None:
        renewed = pki.create_ca(factory.name, key=factory.key, now=NOW + timedelta(days=1))
        world.registers(renewed)
        leaf = factory.leaf("device-1")
        event = replace(world.connects(leaf, factory.ca), ca_id=renewed.fingerprint)
        await world.announced(leaf)
        verdict = await world.admits(event)
        assert (Outcome.REFUSED, {}) == (verdict.outcome, world.things)
        assert "the event names" in verdict.reason

    run(test())


def test_a_ca_that_is_switched_off_brings_nobody_in_a_minute_later(world: World, factory: Factory) -> None:
    """
    For a minute it is not asked about again, since the quota of that question is small.
    """

    async def test() -> None:
        allow_list, clock = world.allow_list(), asyncio.get_running_loop().time
        for seconds, expected in ((0, Outcome.ADMITTED), (61, Outcome.REFUSED)):
            await asyncio.sleep(seconds)
            leaf = factory.leaf(f"device-{seconds}")
            await world.announced(leaf)
            event = world.connects(leaf, factory.ca)
            assert expected == (await allow_list.admit(event, deadline=clock() + 20)).outcome
            _stop(world, factory.ca)

    virtual_time.run(test())


def test_a_ca_that_names_our_template_still_is_ours(world: World, factory: Factory) -> None:
    """
    A region that had no allow-list before: AWS IoT has no call that takes the template away from its CAs.
    """

    async def test() -> None:
        world.registers(factory.ca, templateName=TEMPLATE)
        leaf = factory.leaf("device-1")
        await world.announced(leaf)
        assert Outcome.ADMITTED == (await world.admits(world.connects(leaf, factory.ca))).outcome

    run(test())


def test_no_certificate_names_itself_like_a_pushed_device(world: World, factory: Factory) -> None:
    """
    Whoever holds the CA's key may write any common name; an operator, or a push, may announce any name.
    """

    async def test() -> None:
        leaf = factory.leaf("Infineon_15fc8ea1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        verdict = await world.admits(event)
        assert (Outcome.REFUSED, {}) == (verdict.outcome, world.things)
        assert "pushed devices'" in verdict.reason
        await world.announced(leaf, name="Infineon_15fc8ea1")
        assert Outcome.ADMITTED == (await world.admits(event)).outcome

    run(test())


@pytest.mark.parametrize("common_name", ['""', None])
def test_an_announced_name_serves_where_the_certificate_has_none(
    world: World, factory: Factory, common_name: str | None
) -> None:
    """
    JITP cannot name a security chip by its common name, two quotes; an announcement can.
    """

    async def test() -> None:
        leaf = factory.leaf(common_name, serial=0x15FC8EA1)
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        assert Outcome.REFUSED == (await world.admits(event)).outcome
        await world.announced(leaf, name="reel-1", attributes=(("batch", "7"),))
        assert "reel-1" == (await world.admits(event)).thing_name
        serial = str(0x15FC8EA1)
        assert {"batch": "7", "certificateId": leaf.fingerprint, "serialNumber": serial} == (
            world.things["reel-1"].attributes
        )

    run(test())


def test_an_announced_name_that_is_anothers_is_refused(world: World, factory: Factory) -> None:
    """
    As a push refuses it; a device that names itself is a renewed one, as with JITP, and keeps its thing.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        world.things["device-1"] = Thing({"certificateId": "another", "place": "hall-1"}, groups=["hall"])
        await world.announced(leaf, name="device-1")
        verdict = await world.admits(event)
        assert (Outcome.REFUSED, True) == (verdict.outcome, "belongs to another certificate" in verdict.reason)
        await world.announced(leaf)
        assert Outcome.ADMITTED == (await world.admits(event)).outcome
        thing = world.things["device-1"]
        assert (leaf.fingerprint, "hall-1") == (thing.attributes["certificateId"], thing.attributes["place"])
        assert ["hall"] == thing.groups

    run(test())


@pytest.mark.parametrize(("attached", "outcome"), [("another", Outcome.REFUSED), ("", Outcome.ADMITTED)])
def test_a_thing_that_does_not_say_whose_it_is_belongs_to_whoever_is_attached(
    world: World, factory: Factory, attached: str, outcome: Outcome
) -> None:
    """
    The reference, and people, make things without the attribute; a name is announced for one device, not for two.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        principals = {f"arn:aws:iot:eu-west-1:123456789012:cert/{attached}"} if attached else set()
        world.things["device-1"] = Thing({"place": "hall-1"}, principals=principals)
        await world.announced(leaf, name="device-1")
        assert outcome == (await world.admits(world.connects(leaf, factory.ca))).outcome

    run(test())


@pytest.mark.parametrize(
    ("setting", "value", "attributes"),
    [
        ("AttributePayload", "DO_NOTHING", {"place": "hall-1"}),
        ("AttributePayload", "REPLACE", {"serialNumber": "7"}),
        ("AttributePayload", "MERGE", {"place": "hall-1", "serialNumber": "7"}),
        ("AttributePayload", "FAIL", None),
        ("ThingTypeName", "FAIL", None),
        ("ThingGroups", "REPLACE", None),
    ],
)
def test_a_thing_that_exists_changes_as_the_template_lets_it(
    factory: Factory, setting: str, value: str, attributes: dict[str, str] | None
) -> None:
    """
    OverrideSettings, as JITP keeps them; what a function would have to take away it refuses.
    """

    async def test() -> None:
        serial = {"serialNumber": template.SERIAL_NUMBER}
        body = template.build(policy_name="Device", thing_type="new", thing_groups=("hall",), attributes=serial)
        body["Resources"]["thing"]["OverrideSettings"] |= {setting: value}
        world = World(body=template.to_aws(body))
        world.registers(factory.ca)
        leaf = factory.leaf("device-1", serial=7)
        world.things["device-1"] = Thing({"place": "hall-1"}, "old")
        await world.announced(leaf)
        verdict = await world.admits(world.connects(leaf, factory.ca))
        if attributes is None:
            assert (Outcome.REFUSED, True) == (verdict.outcome, "does not override" in verdict.reason)
        else:
            thing = world.things["device-1"]
            assert (attributes, "new", []) == (thing.attributes, thing.thing_type, thing.groups)

    run(test())


@pytest.mark.parametrize("attributes", [(("a b", "x"),), (("a", "x y"),), (("a", "1"), ("b", "2"))])
def test_what_a_thing_cannot_have_is_refused(
    world: World, factory: Factory, attributes: tuple[tuple[str, str], ...]
) -> None:
    """
    Names and values that AWS IoT does not take, and more than three attributes without a thing type.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        await world.announced(leaf, attributes=attributes)
        assert Outcome.REFUSED == (await world.admits(world.connects(leaf, factory.ca))).outcome
        assert {} == world.things

    run(test())


def test_a_missing_policy_is_an_error_and_no_verdict(world: World, factory: Factory) -> None:
    """
    That is not the device's fault: the function fails, Lambda tries again, and the alarm is heard.
    """

    async def test() -> None:
        leaf = factory.leaf("device-1")
        event = world.connects(leaf, factory.ca)
        await world.announced(leaf)
        world.policies.clear()
        with pytest.raises(RegistryError, match="AttachPolicy was refused with ResourceNotFoundException"):
            await world.admits(event)
        assert "PENDING_ACTIVATION" == world.status(leaf)

    run(test())


def test_the_template_and_the_ca_are_asked_for_once_a_minute(world: World, factory: Factory) -> None:
    """
    Ten such calls a second are all that an account has.
    """

    async def test() -> None:
        allow_list, deadline = world.allow_list(), asyncio.get_running_loop().time() + 20
        for name in ("device-1", "device-2", "device-3"):
            leaf = factory.leaf(name)
            await world.announced(leaf)
            await allow_list.admit(world.connects(leaf, factory.ca), deadline=deadline)
        assert (1, 1) == tuple(world.calls.count(c) for c in ("DescribeProvisioningTemplate", "DescribeCACertificate"))

    run(test())


_EVENT = {
    "certificateId": "ab" * 32,
    "caCertificateId": "cd" * 32,
    "timestamp": 1_800_000_000_000,
    "certificateStatus": "PENDING_ACTIVATION",
    "awsAccountId": "123456789012",
    "certificateRegistrationTimestamp": None,
}


@pytest.mark.parametrize("timestamp", [1_800_000_000_000, 1_800_000_000_000.0, "1800000000000"])
def test_the_event_is_read_as_aws_writes_it(timestamp: Any) -> None:
    """
    The registration time is null at the first connect, and of no use here; of what type the timestamp is, AWS's
    guide does not say.
    """
    assert event.Registered("ab" * 32, "cd" * 32, 1_800_000_000_000) == event.read(_EVENT | {"timestamp": timestamp})


@pytest.mark.parametrize(
    "change",
    [
        {"certificateId": "../x"},
        {"certificateId": None},
        {"caCertificateId": ""},
        {"timestamp": "now"},
        {"timestamp": None},
        {"timestamp": float("inf")},
        {"certificateStatus": "ACTIVE"},
    ],
)
def test_another_event_is_refused(change: dict[str, Any]) -> None:
    """
    A rule that sends something else is a mistake to be heard of.
    """
    with pytest.raises(RequestError):
        event.read(_EVENT | change)
