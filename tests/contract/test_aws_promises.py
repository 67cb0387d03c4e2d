"""
What the AWS registry promises about whatever an operator, the reference kit or a crash left behind.
"""

import pytest

from firstlight.errors import RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration
from tests.contract.conftest import InAws
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import AwsWorld, codes, register


def _error(registration: Registration) -> RegistryError:
    assert isinstance(registration.error, RegistryError)
    assert not registration.endpoint
    return registration.error


def _by_the_reference(world: AwsWorld, *devices: DeviceIdentity) -> None:
    """
    Make things as the reference does: the serial number for an attribute, and whoever shares it attached too.
    """
    world.make_thing(devices[0].name, {"serialNumber": devices[0].serial})
    for device in devices:
        world.make_certificate(device)
        world.attach(device.name, device)
        world.attach_policy(device)


def test_a_thing_says_whose_it_is(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    The attributes are the reference's serialNumber, and the certificate's id as AWS IoT calls it.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)

        await register(world.registry, device)

        assert {"serialNumber": device.serial, "certificateId": device.fingerprint} == world.attributes(device.name)

    in_aws(promise)


def test_a11_without_its_policy_no_device_succeeds_and_nothing_is_made(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    A device without a policy could not connect, so it is not begun; the answer names the policy.
    """

    async def promise(world: AwsWorld) -> None:
        devices = new_devices(3)

        registrations = await register(world.another_process("NoSuchPolicy"), *devices)

        for registration in registrations:
            assert "the device policy NoSuchPolicy does not exist in" in _error(registration).message
        assert [None] * 3 == [world.status(d) for d in devices]
        assert [None] * 3 == [world.attributes(d.name) for d in devices]

    in_aws(promise)


def test_a11_a_known_certificate_without_a_policy_gets_it(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    The reference attached a certificate it knew already, and left it without a policy.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        world.make_thing(device.name, {"serialNumber": device.serial})
        world.make_certificate(device)
        world.attach(device.name, device)
        assert not world.can_connect(device)

        assert ["ok"] == codes(await register(world.registry, device))
        assert world.can_connect(device)

    in_aws(promise)


def test_a13_a_revoked_certificate_is_never_revived(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    REVOKED stays REVOKED, and the answer says so.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        world.set_status(device, "REVOKED")

        (refused,) = await register(world.registry, device)

        assert "inactive" == _error(refused).code
        assert "the certificate is REVOKED in the registry" in _error(refused).message
        assert "REVOKED" == world.status(device)

    in_aws(promise)


def test_a14_an_operators_edit_does_not_stop_the_next_push(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    The device is registered as before, and what the operator wrote stays.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)
        world.edit_thing(device.name, {"site": "north", "serialNumber": "by-hand"})

        assert ["ok"] == codes(await register(world.registry, device))
        attributes = {"site": "north", "serialNumber": "by-hand", "certificateId": device.fingerprint}
        assert attributes == world.attributes(device.name)

    in_aws(promise)


_CRASHES = {
    "after CreateThing": ["thing"],
    "after RegisterCertificateWithoutCA": ["thing", "certificate"],
    "after AttachThingPrincipal": ["thing", "certificate", "principal"],
    "after AttachPolicy, before the answer": ["thing", "certificate", "principal", "policy"],
    "of the reference, after RegisterCertificateWithoutCA": ["certificate"],
    "of the reference, after CreateThing": ["certificate", "reference's thing"],
    "of somebody who begins with the policy": ["certificate", "policy"],
}


@pytest.mark.parametrize("done", _CRASHES.values(), ids=_CRASHES.keys())
def test_a15_a_crash_between_any_two_calls_is_repaired(in_aws: InAws, new_devices: NewDevices, done: list[str]) -> None:
    """
    What a crash left half made, the next push completes.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        if "thing" in done:
            world.make_thing(device.name, {"serialNumber": device.serial, "certificateId": device.fingerprint})
        if "reference's thing" in done:
            world.make_thing(device.name, {"serialNumber": device.serial})
        if "certificate" in done:
            world.make_certificate(device)
        if "principal" in done:
            world.attach(device.name, device)
        if "policy" in done:
            world.attach_policy(device)

        assert ["ok"] == codes(await register(world.registry, device))
        assert world.can_connect(device)
        assert {device.fingerprint} == world.principals(device.name)

    in_aws(promise)


def test_a16_the_loser_of_a_name_leaves_nothing_behind(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    No certificate is registered for a device that cannot have its name.
    """

    async def promise(world: AwsWorld) -> None:
        owner, rival = new_devices(2, rivals=True)
        await register(world.registry, owner)

        await register(world.registry, rival)

        assert world.status(rival) is None
        assert {owner.fingerprint} == world.principals(owner.name)

    in_aws(promise)


def test_a16_of_two_that_the_reference_gave_one_name_the_first_pushed_keeps_it(
    in_aws: InAws, new_devices: NewDevices
) -> None:
    """
    The reference attached both to one thing and said SUCCESS twice; here the second is told, every time.
    """

    async def promise(world: AwsWorld) -> None:
        first, second = new_devices(2, rivals=True)
        _by_the_reference(world, first, second)

        for _ in range(2):
            assert ["ok"] == codes(await register(world.registry, first))
            assert ["name-taken"] == codes(await register(world.registry, second))

    in_aws(promise)


def test_a_device_the_reference_made_stays_as_it_is(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    A fleet moves over from the reference by pushing it again; no thing is changed for that.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        _by_the_reference(world, device)

        assert ["ok"] == codes(await register(world.registry, device))
        assert {"serialNumber": device.serial} == world.attributes(device.name)
        assert {device.fingerprint} == world.principals(device.name)

    in_aws(promise)


def test_a_thing_made_by_hand_is_taken_over(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    An operator may prepare things; they keep their attributes and gain what says whose they are.
    """

    async def promise(world: AwsWorld) -> None:
        (device,) = new_devices(1)
        world.make_thing(device.name, {"site": "north"})

        assert ["ok"] == codes(await register(world.registry, device))
        owned = {"site": "north", "serialNumber": device.serial, "certificateId": device.fingerprint}
        assert owned == world.attributes(device.name)
        assert world.can_connect(device)

    in_aws(promise)


def test_a_thing_with_another_certificate_is_left_alone(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    Whoever attached it, and whatever the attributes say.
    """

    async def promise(world: AwsWorld) -> None:
        owner, rival = new_devices(2, rivals=True)
        _by_the_reference(world, owner)

        (refused,) = await register(world.registry, rival)

        assert "name-taken" == _error(refused).code
        assert {owner.fingerprint} == world.principals(owner.name)
        assert world.status(rival) is None

    in_aws(promise)


def test_a_device_whose_certificate_was_replaced_by_hand_is_registered(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    When an operator attaches the new certificate in the place of the old one, the new one is the device's.
    """

    async def promise(world: AwsWorld) -> None:
        new, old = new_devices(2, rivals=True)
        world.make_thing(new.name, {"serialNumber": old.serial, "certificateId": old.fingerprint})
        world.make_certificate(new)
        world.attach(new.name, new)

        assert ["ok"] == codes(await register(world.registry, new))
        assert world.can_connect(new)

    in_aws(promise)


def test_the_name_of_a_retired_device_is_free_again(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    Revoked and detached: no push would ever attach it again, so the next certificate may have the name.
    """

    async def promise(world: AwsWorld) -> None:
        retired, heir = new_devices(2, rivals=True)
        world.make_certificate(retired)
        world.set_status(retired, "REVOKED")
        assert ["inactive"] == codes(await register(world.registry, retired))

        assert ["ok"] == codes(await register(world.registry, heir))
        assert {heir.fingerprint} == world.principals(heir.name)
        assert ["name-taken"] == codes(await register(world.registry, retired))

    in_aws(promise)


def test_a_name_is_not_free_while_its_certificate_may_still_come(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    The thing is there and its certificate not yet: another process may be between the two calls.
    """

    async def promise(world: AwsWorld) -> None:
        coming, rival = new_devices(2, rivals=True)
        world.make_thing(coming.name, {"serialNumber": coming.serial, "certificateId": coming.fingerprint})

        assert ["name-taken"] == codes(await register(world.registry, rival))
        assert ["ok"] == codes(await register(world.registry, coming))

    in_aws(promise)


def test_a18_the_answer_says_what_was_the_matter(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    It begins as the reference's one message for everything, and goes on with the cause.
    """

    async def promise(world: AwsWorld) -> None:
        owner, rival = new_devices(2, rivals=True)
        await register(world.registry, owner)
        world.set_status(owner, "INACTIVE")

        messages = [_error(r).message for d in (owner, rival) for r in await register(world.registry, d)]
        messages += [_error(r).message for r in await register(world.another_process("No"), owner)]

        assert all(m.startswith("Failed creating and registering thing: ") for m in messages)
        assert 3 == len(set(messages))

    in_aws(promise)


def test_after_the_deadline_nothing_is_attempted(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    Every device is answered all the same, and nothing is made.
    """

    async def promise(world: AwsWorld) -> None:
        devices = new_devices(3)

        registrations = await register(world.registry, *devices, seconds=-1)

        assert ["not-attempted"] * 3 == codes(registrations)
        assert "not attempted before the deadline, push again." in _error(registrations[0]).message
        assert [None] * 3 == [world.attributes(d.name) for d in devices]
        assert [None] * 3 == [world.status(d) for d in devices]

    in_aws(promise)
