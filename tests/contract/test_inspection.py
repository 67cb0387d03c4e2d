"""
What every registry promises that says what a device is, whatever the cloud.
"""

from collections.abc import Sequence

from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Sought, Standing
from tests.contract.conftest import InAny
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import World, codes, inspect, register


def sought(device: DeviceIdentity) -> Sought:
    return Sought(device.fingerprint, device.name)


def conditions(standings: Sequence[Standing]) -> list[str]:
    """
    Return each condition, or the code of the error that stands in its place.
    """
    return [s.error.code if s.error else s.condition for s in standings]


def test_a_registered_device_is_ready(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    READY says the endpoint that the push said; whoever was never pushed is UNKNOWN; answers come in order.
    """

    async def promise(world: World) -> None:
        pushed, never, also = new_devices(3)
        registrations = await register(world.registry, pushed, also)

        standings = await inspect(world.another_process(), sought(pushed), sought(never), sought(also))

        assert ["READY", "UNKNOWN", "READY"] == conditions(standings)
        assert [registrations[0].endpoint, "", registrations[1].endpoint] == [s.endpoint for s in standings]
        assert [()] * 3 == [s.missing for s in standings]

    in_any_world(promise)


def test_who_was_switched_off_is_incomplete(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    What is missing says so in the cloud's word, and asking revives nobody.
    """

    async def promise(world: World) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        world.set_status(device, "INACTIVE")

        (standing,) = await inspect(world.registry, sought(device))

        assert Condition.INCOMPLETE is standing.condition
        assert any(word in standing.missing[0] for word in ("INACTIVE", "disabled"))
        assert not standing.endpoint
        assert not world.can_connect(device)

        world.set_status(device, "ACTIVE")
        assert ["READY"] == conditions(await inspect(world.registry, sought(device)))

    in_any_world(promise)


def test_who_has_not_the_name_is_not_ready(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    Of two certificates with one name the owner is READY.  The other is not there, or its name is another's: as the
    cloud's registry sees it.
    """

    async def promise(world: World) -> None:
        owner, rival = new_devices(2, rivals=True)
        pushed = [*await register(world.registry, owner), *await register(world.registry, rival)]
        assert ["ok", "name-taken"] == codes(pushed)

        standings = await inspect(world.registry, sought(owner), sought(rival))

        assert Condition.READY is standings[0].condition
        assert Condition.UNKNOWN is standings[1].condition or "another" in " ".join(standings[1].missing)
        assert [None, None] == [s.error for s in standings]

    in_any_world(promise)


def test_nothing_is_asked_after_the_deadline(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    Every device is answered, with an error; and nobody asked about is nobody answered.
    """

    async def promise(world: World) -> None:
        devices = new_devices(2)
        await register(world.registry, *devices)

        late = await inspect(world.registry, *map(sought, devices), seconds=-1.0)

        assert all(s.error is not None or s.condition is Condition.READY for s in late)
        assert 2 == len(late)
        assert [] == list(await inspect(world.registry))

    in_any_world(promise)


def test_many_are_asked_about_at_once(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    More than are in flight at once.
    """

    async def promise(world: World) -> None:
        devices = new_devices(60)
        await register(world.registry, *devices[::2])

        standings = await inspect(world.registry, *map(sought, devices))

        assert ["READY", "UNKNOWN"] * 30 == conditions(standings)

    in_any_world(promise)
