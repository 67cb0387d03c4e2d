"""
What is said of a device that AWS IoT knows half of, and what it costs to ask.
"""

import pytest

from firstlight.certificates import load
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.inspection import Condition, Sought
from tests.contract.conftest import InAws, InLaptop, InStub
from tests.contract.laptop_world import LaptopWorld
from tests.contract.stub_world import StubWorld
from tests.contract.test_inspection import conditions, sought
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import POLICY, AwsWorld, codes, inspect, register
from tests.factory import Factory

_NO_POLICY = f"policy {POLICY} is not attached"


@pytest.mark.parametrize(
    ("steps", "missing", "nameless"),
    [
        (["thing"], ["no certificate"], None),
        (["certificate"], ["no thing", _NO_POLICY], ["no thing", _NO_POLICY]),
        (["thing", "certificate"], ["not attached to its thing", _NO_POLICY], ["no thing", _NO_POLICY]),
        (["certificate", "policy"], ["no thing"], ["no thing"]),
        (["thing", "certificate", "attach"], [_NO_POLICY], [_NO_POLICY]),
        (["thing", "certificate", "policy"], ["not attached to its thing"], ["no thing"]),
        (["thing", "certificate", "attach", "policy"], [], []),
    ],
)
def test_what_is_missing_is_said_and_a_push_mends_it(
    in_aws: InAws, new_devices: NewDevices, steps: list[str], missing: list[str], nameless: list[str] | None
) -> None:
    """
    A crash between any two calls leaves an INCOMPLETE device; the next push makes it READY.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        attributes = {"serialNumber": device.serial, "certificateId": device.fingerprint}
        hands = {
            "thing": lambda: world.make_thing(device.name, attributes),
            "certificate": lambda: world.make_certificate(device),
            "attach": lambda: world.attach(device.name, device),
            "policy": lambda: world.attach_policy(device),
        }
        for step in steps:
            hands[step]()

        named, unnamed = await inspect(world.registry, sought(device), Sought(device.fingerprint))

        assert missing == list(named.missing)
        assert (Condition.INCOMPLETE if missing else Condition.READY) is named.condition
        assert nameless == (None if unnamed.condition is Condition.UNKNOWN else list(unnamed.missing))
        assert ["ok"] == codes(await register(world.registry, device))
        assert ["READY"] * 2 == conditions(await inspect(world.registry, sought(device), Sought(device.fingerprint)))

    in_aws(promise)


def test_all_that_is_missing_is_said_at_once(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    Also of a certificate that somebody switched off.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        world.make_certificate(device, "INACTIVE")

        (standing,) = await inspect(world.registry, sought(device))

        assert ("certificate is INACTIVE", "no thing", _NO_POLICY) == standing.missing

    in_aws(promise)


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ((-30, -10), "certificate expired 2026-11-10T12:00:00Z"),
        ((36500, 36501), "certificate is not valid before 2126-10-27T12:00:00Z"),
    ],
)
def test_who_is_out_of_its_validity_is_not_ready(in_laptop: InLaptop, days: tuple[int, int], missing: str) -> None:
    """
    Its certificate stays ACTIVE, and AWS IoT refuses it all the same; asked by certificate or by fingerprint.
    """

    async def promise(world: LaptopWorld) -> None:
        device = DeviceIdentity.from_certificate(load(Factory().odd(days=days)), NamingRule(prefix=f"odd{-days[0]}_"))
        assert ["ok"] == codes(await register(world.registry, device))

        standings = await inspect(world.registry, sought(device), Sought(device.fingerprint))

        assert [("INCOMPLETE", (missing,))] * 2 == [(s.condition, s.missing) for s in standings]

    in_laptop(promise)


def test_of_two_on_one_thing_none_is_ready_before_one_has_the_name(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    The reference attached them both; whichever is pushed first keeps the name, so until then a push has work to do.
    """

    async def promise(world: AwsWorld) -> None:
        first, second = new_devices(2, rivals=True)
        world.make_thing(first.name, {"serialNumber": first.serial})
        for device in (first, second):
            world.make_certificate(device)
            world.attach(first.name, device)
            world.attach_policy(device)

        before = await inspect(world.registry, sought(first), sought(second))
        assert ["ok"] == codes(await register(world.registry, first))
        after = await inspect(world.registry, sought(first), sought(second))

        assert [(f"the thing {first.name} is not claimed yet",)] * 2 == [s.missing for s in before]
        assert ["READY", "INCOMPLETE"] == conditions(after)
        assert (f"the thing {first.name} belongs to another certificate",) == after[1].missing

    in_aws(promise)


def test_the_policy_is_found_among_many(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    AWS lists them in pages.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        (names,) = [names for arn, names in world.stub.registry.attached.items() if arn.endswith(device.fingerprint)]
        names |= {"A", "B", "Z"}

        assert ["READY"] == conditions(await inspect(world.registry, sought(device)))

        names.discard(POLICY)
        (standing,) = await inspect(world.registry, sought(device))
        assert (_NO_POLICY,) == standing.missing

    in_stub(promise)


def test_nothing_is_asked_that_is_known(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Quotas of 10 a second: four questions for a device with a name, three without, one for a stranger; no change.
    """

    async def promise(world: StubWorld) -> None:
        known, stranger = new_devices(2)
        await register(world.registry, known)
        for asked, calls in (
            (sought(known), {"DescribeCertificate", "DescribeThing", "ListThingPrincipals", "ListAttachedPolicies"}),
            (Sought(known.fingerprint), {"DescribeCertificate", "ListPrincipalThings", "ListAttachedPolicies"}),
            (Sought(stranger.fingerprint), {"DescribeCertificate"}),
        ):
            world.stub.forget_calls()
            await inspect(world.registry, asked)
            assert dict.fromkeys(calls, 1) == dict(world.stub.calls)

    in_stub(promise)


def test_without_the_policy_nothing_can_be_said(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    As a push would be, a question is answered with the policy that is not there.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)

        (standing,) = await inspect(world.another_process("NoSuchPolicy"), sought(device))

        assert standing.error is not None
        assert "Failed looking the device up: the device policy NoSuchPolicy does not exist" in standing.error.message

    in_aws(promise)
