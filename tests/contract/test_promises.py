"""
What every registry promises, whatever the cloud.
"""

import asyncio
from collections.abc import Callable

from firstlight.identity import DeviceIdentity
from tests.contract.conftest import InAny
from tests.contract.worlds import World, codes, register

NewDevices = Callable[..., list[DeviceIdentity]]


def test_a_registered_device_can_connect(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    SUCCESS with an endpoint means that a device can connect to it now.
    """

    async def promise(world: World) -> None:
        devices = new_devices(3)

        registrations = await register(world.registry, *devices)

        assert ["ok"] * 3 == codes(registrations)
        assert all(r.endpoint for r in registrations)
        assert all(world.can_connect(d) for d in devices)

    in_any_world(promise)


def test_registering_twice_is_harmless(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    The Cloud ID service pushes the same certificates again and again.
    """

    async def promise(world: World) -> None:
        (device,) = new_devices(1)

        first = await register(world.registry, device)
        second = await register(world.another_process(), device)

        assert ["ok"] == codes(first) == codes(second)
        assert first[0].endpoint == second[0].endpoint
        assert world.can_connect(device)

    in_any_world(promise)


def test_two_pushes_of_one_device_at_once_both_succeed(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    A19: after the gateway's time-out the caller pushes again, while the first push still runs.
    """

    async def promise(world: World) -> None:
        (device,) = new_devices(1)

        both = await asyncio.gather(register(world.registry, device), register(world.another_process(), device))

        assert [["ok"], ["ok"]] == [codes(r) for r in both]
        assert world.can_connect(device)

    in_any_world(promise)


def test_answers_come_in_the_order_of_the_devices(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    Also when some are refused.
    """

    async def promise(world: World) -> None:
        owner, rival = new_devices(2, rivals=True)
        await register(world.registry, owner)
        before, after = new_devices(1), new_devices(1)

        registrations = await register(world.registry, *before, rival, *after)

        assert ["ok", "name-taken", "ok"] == codes(registrations)

    in_any_world(promise)


def test_nothing_to_register_is_nothing_to_answer(in_any_world: InAny) -> None:
    """
    An empty push is answered with an empty list.
    """

    async def promise(world: World) -> None:
        assert [] == list(await register(world.registry))

    in_any_world(promise)


def test_many_devices_are_each_registered(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    More than are in flight at once.
    """

    async def promise(world: World) -> None:
        devices = new_devices(120)

        registrations = await register(world.registry, *devices)

        assert ["ok"] * 120 == codes(registrations)
        assert all(world.can_connect(d) for d in devices[::20])

    in_any_world(promise)


def test_a16_a_name_that_is_another_certificates_is_refused(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    Serials are unique per issuer only; the second owner of a name is told so, and the first stays it.
    """

    async def promise(world: World) -> None:
        owner, rival = new_devices(2, rivals=True)
        await register(world.registry, owner)

        (refused,) = await register(world.another_process(), rival)

        assert refused.error is not None
        assert "name-taken" == refused.error.code
        assert f"{rival.name} belongs to another certificate" in refused.error.message
        assert not refused.endpoint
        assert world.can_connect(owner)
        assert not world.can_connect(rival)

    in_any_world(promise)


def test_a16_of_two_certificates_that_want_one_name_at_once_exactly_one_has_it(
    in_any_world: InAny, new_devices: NewDevices
) -> None:
    """
    Whichever process they come through, and whoever is asked again afterwards.
    """

    async def promise(world: World) -> None:
        rivals = new_devices(4, rivals=True)

        answers = await asyncio.gather(*(register(world.another_process(), device) for device in rivals))
        again = [await register(world.registry, device) for device in rivals]

        assert ["name-taken"] * 3 + ["ok"] == sorted(codes([r for (r,) in answers]))
        assert codes([r for (r,) in answers]) == codes([r for (r,) in again])
        assert 1 == sum(world.can_connect(device) for device in rivals)

    in_any_world(promise)


def test_a13_an_inactive_certificate_is_never_revived(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    What an operator switched off stays off, and the caller is told.
    """

    async def promise(world: World) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        world.set_status(device, "INACTIVE")

        (refused,) = await register(world.registry, device)

        assert refused.error is not None
        assert "inactive" == refused.error.code
        # the word for it is the cloud's
        assert any(word in refused.error.message for word in ("INACTIVE", "disabled"))
        assert not world.can_connect(device)

    in_any_world(promise)


def test_a13_a_device_that_an_operator_revives_is_a_device_again(in_any_world: InAny, new_devices: NewDevices) -> None:
    """
    The refusal is not remembered.
    """

    async def promise(world: World) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        world.set_status(device, "INACTIVE")
        await register(world.registry, device)
        world.set_status(device, "ACTIVE")

        assert ["ok"] == codes(await register(world.registry, device))
        assert world.can_connect(device)

    in_any_world(promise)
