"""
What a thing is given besides its name: attributes, a type, groups, a billing group.
"""

from dataclasses import replace
from uuid import uuid4

import pytest

from firstlight.errors import SettingsError
from firstlight.identity import Attributes, DeviceIdentity
from firstlight.inspection import Condition
from firstlight.registries.aws_extras import Extras
from tests.contract.conftest import InAws, InStub
from tests.contract.stub_world import StubWorld
from tests.contract.test_inspection import sought
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import AwsWorld, codes, inspect, register

_NAMES = [(name, value) for name, value in zip("abcd", "1234", strict=True)]


def _with(device: DeviceIdentity, *attributes: tuple[str, str]) -> DeviceIdentity:
    given: Attributes = attributes
    return replace(device, attributes=given)


def _fresh(world: AwsWorld) -> Extras:
    """
    A type and two groups of their own, made by the operator.
    """
    kind, *groups = (f"{what}-{uuid4().hex[:8]}" for what in ("type", "one", "two"))
    world.make_type(kind)
    for group in groups:
        world.make_group(group)
    return Extras(thing_type=kind, thing_groups=tuple(groups))


def test_a_thing_gets_its_attributes_type_and_groups(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    With a type it may have many attributes; the two that say whose it is stay; pushing again changes nothing.
    """

    async def promise(world: AwsWorld) -> None:
        extras = _fresh(world)
        (plain,) = new_devices(1)
        device = _with(plain, *_NAMES, ("empty", ""))

        for _ in range(2):
            assert ["ok"] == codes(await register(world.another_process(extras=extras), device))
            own = {"serialNumber": device.serial, "certificateId": device.fingerprint}
            assert own | dict(_NAMES) == world.attributes(device.name)
            assert extras.thing_type == world.thing_type(device.name)
            assert set(extras.thing_groups) == world.groups(device.name)
            assert world.can_connect(device)

    in_aws(promise)


def test_a_thing_that_is_there_gets_only_what_it_lacks(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    An operator's own value stays; who was made without a type has one afterwards.
    """

    async def promise(world: AwsWorld) -> None:
        extras = _fresh(world)
        (plain,) = new_devices(1)
        await register(world.registry, plain)
        world.edit_thing(plain.name, {"a": "by hand"})

        assert ["ok"] == codes(await register(world.another_process(extras=extras), _with(plain, *_NAMES)))

        assert {"a": "by hand", "b": "2"}.items() <= (world.attributes(plain.name) or {}).items()
        assert extras.thing_type == world.thing_type(plain.name)
        assert set(extras.thing_groups) == world.groups(plain.name)

    in_aws(promise)


def test_a_thing_of_another_gets_nothing(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    Whose name is taken joins no group by it.
    """

    async def promise(world: AwsWorld) -> None:
        extras = _fresh(world)
        owner, rival = new_devices(2, rivals=True)
        await register(world.registry, owner)

        assert ["name-taken"] == codes(await register(world.another_process(extras=extras), _with(rival, *_NAMES)))

        assert {"serialNumber", "certificateId"} == set(world.attributes(owner.name) or {})
        assert world.thing_type(owner.name) is None
        assert set() == world.groups(owner.name)

    in_aws(promise)


@pytest.mark.parametrize("kind", ["thing type", "thing group"])
def test_without_the_type_or_the_group_nothing_is_made(in_aws: InAws, new_devices: NewDevices, kind: str) -> None:
    """
    The answer names what is missing; once it is there, the next push succeeds.
    """

    async def promise(world: AwsWorld) -> None:
        name = f"late-{uuid4().hex[:8]}"
        extras = Extras(thing_type=name) if kind == "thing type" else Extras(thing_groups=(name,))
        registry = world.another_process(extras=extras)
        devices = new_devices(2)

        for registration in await register(registry, *devices):
            assert registration.error is not None
            assert f"the {kind} {name} does not exist." in registration.error.message
        assert [None, None] == [world.attributes(d.name) for d in devices]

        (world.make_type if kind == "thing type" else world.make_group)(name)
        assert ["ok", "ok"] == codes(await register(registry, *devices))

    in_aws(promise)


def test_a_billing_group_is_given_once(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    To new things as they are made, to others if they have none; one that does not exist is named.
    """

    async def promise(world: StubWorld) -> None:
        new, old, other = new_devices(3)
        await register(world.registry, old, other)
        things = world.stub.registry.things
        things[other.name].billing_group = "theirs"
        registry = world.another_process(extras=Extras(billing_group="ours"))

        (refused,) = await register(registry, new)
        world.stub.registry.billing_groups.add("ours")
        assert ["ok"] * 3 == codes(await register(registry, new, old, other))

        assert "the billing group ours does not exist" in str(refused.error)
        assert ["ours", "ours", "theirs"] == [things[d.name].billing_group for d in (new, old, other)]

    in_stub(promise)


def test_who_deletes_a_group_meanwhile_is_noticed(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Asked for once per process, the group is asked for again when AWS says that it has gone.
    """

    async def promise(world: StubWorld) -> None:
        world.make_group("group")
        world.make_type("kind")
        registry = world.another_process(extras=Extras(thing_type="kind", thing_groups=("group",)))
        first, second, third = new_devices(3)
        assert ["ok"] == codes(await register(registry, first))

        del world.stub.registry.groups["group"]
        (refused,) = await register(registry, second)
        assert "the thing group group does not exist" in str(refused.error)

        world.make_group("group")
        world.stub.registry.types.discard("kind")
        assert ["registry"] == codes(await register(registry, third))
        (named,) = await register(registry, third)
        assert "the thing type kind does not exist" in str(named.error)

    in_stub(promise)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ([("colour", "dark green")], "AWS IoT does not take 'dark green' as the attribute colour."),
        ([("long", "x" * 801)], "as the attribute long."),
        ([("dark green", "1")], "'dark green' is no name of an attribute."),
        ([("n" * 129, "1")], "is no name of an attribute."),
        ([("serialNumber", "1")], "the attribute serialNumber is the certificate's own"),
        (_NAMES[:2], "2 attributes are given, and AWS IoT takes 3 of such a thing, 2 of which say whose it is."),
    ],
)
def test_an_attribute_that_aws_does_not_take_is_named(
    in_stub: InStub, new_devices: NewDevices, attributes: list[tuple[str, str]], sentence: str
) -> None:
    """
    In one sentence, for that device alone, and nothing of it is made.
    """

    async def promise(world: StubWorld) -> None:
        good, bad = new_devices(2)

        fine, refused = await register(world.registry, _with(good, *_NAMES[:1]), _with(bad, *attributes))

        assert fine.error is None
        assert refused.error is not None
        assert sentence in refused.error.message
        assert world.attributes(bad.name) is None

    in_stub(promise)


def test_extras_cost_nothing_where_there_are_none(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Four calls a device, with attributes too; a group costs one more.
    """

    async def promise(world: StubWorld) -> None:
        world.make_group("group")
        for extras, calls in ((Extras(), 4), (Extras(thing_groups=("group",)), 5)):
            registry = world.another_process(extras=extras)
            await register(registry, *new_devices(1))
            world.stub.forget_calls()
            await register(registry, *(_with(device, *_NAMES[:1]) for device in new_devices(10)))
            assert 10 * calls == world.stub.calls.total()

    in_stub(promise)


def test_who_lacks_an_extra_is_not_ready(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    A push would give it, so until then the device is INCOMPLETE.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        for group in ("a", "b", "c"):
            world.make_group(group)
        world.make_type("kind")
        world.stub.registry.billing_groups.add("bill")
        world.stub.registry.groups["a"].add(device.name)
        extras = Extras(thing_type="kind", thing_groups=("a", "b", "c"), billing_group="bill")
        registry = world.another_process(extras=extras)

        (before,) = await inspect(registry, sought(device))
        assert ["ok"] == codes(await register(registry, device))
        (after,) = await inspect(registry, sought(device))

        missing = ("no thing type", "no billing group", "not in the group b", "not in the group c")
        assert missing == before.missing
        assert Condition.READY is after.condition

    in_stub(promise)


@pytest.mark.parametrize(
    "names",
    [
        {"thing_type": "with space"},
        {"billing_group": "x" * 129},
        {"thing_groups": ("",)},
        {"thing_groups": ("a/b",)},
        {"thing_groups": tuple(f"g{n}" for n in range(11))},
    ],
)
def test_extras_that_aws_knows_no_names_of_are_refused(names: dict[str, object]) -> None:
    """
    Before anything is called.
    """
    with pytest.raises(SettingsError):
        Extras(**names)  # type: ignore[arg-type]
