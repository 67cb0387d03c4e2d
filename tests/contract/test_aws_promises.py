"""
What the AWS registry promises about whatever an operator, the reference kit or a crash left behind.
"""

import pytest

from firstlight.errors import RegistryError
from firstlight.provision import Registration
from tests.contract.conftest import InAws
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import AwsWorld, codes, register


def _error(registration: Registration) -> RegistryError:
    assert isinstance(registration.error, RegistryError)
    assert not registration.endpoint
    return registration.error


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
