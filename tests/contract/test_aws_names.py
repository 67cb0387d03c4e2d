"""
Who owns a name in AWS IoT, whoever made the thing of that name.
"""

from firstlight.identity import DeviceIdentity
from tests.contract.conftest import InAws
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import AwsWorld, codes, register


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


def test_a16_of_several_that_the_reference_gave_one_name_the_first_pushed_keeps_it(
    in_aws: InAws, new_devices: NewDevices
) -> None:
    """
    The reference attached them all to one thing and said SUCCESS each time; here the others are told, every time.
    """

    async def promise(world: AwsWorld) -> None:
        # The last in AWS's list, which has pages.
        *others, first = sorted(new_devices(5, rivals=True), key=lambda device: device.fingerprint)
        _by_the_reference(world, first, *others)

        for _ in range(2):
            assert ["ok"] == codes(await register(world.registry, first))
            for other in others:
                assert ["name-taken"] == codes(await register(world.registry, other))

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

        assert ["name-taken"] == codes(await register(world.registry, rival))
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


def test_the_name_of_a_device_put_to_sleep_stays_its_own(in_aws: InAws, new_devices: NewDevices) -> None:
    """
    INACTIVE is not REVOKED: whoever switched it off may switch it on again, and it finds its name.
    """

    async def promise(world: AwsWorld) -> None:
        asleep, rival = new_devices(2, rivals=True)
        world.make_certificate(asleep)
        world.set_status(asleep, "INACTIVE")
        assert ["inactive"] == codes(await register(world.registry, asleep))

        assert ["name-taken"] == codes(await register(world.registry, rival))
        assert asleep.fingerprint == (world.attributes(asleep.name) or {})["certificateId"]

        world.set_status(asleep, "ACTIVE")
        assert ["ok"] == codes(await register(world.registry, asleep))
        assert {asleep.fingerprint} == world.principals(asleep.name)

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
