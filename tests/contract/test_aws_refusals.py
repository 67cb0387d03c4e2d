"""
What the AWS registry refuses for good, and what that costs.
"""

from dataclasses import replace

import pytest

from firstlight.overflow import Later
from tests.contract.conftest import InStub
from tests.contract.stub_world import StubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register


@pytest.mark.parametrize("name", ["a b", "a.b", "ä", "", "x" * 129, "a/b", "a\nb"])
def test_a_name_aws_takes_for_no_thing_is_refused_without_a_call(
    in_stub: InStub, new_devices: NewDevices, name: str
) -> None:
    """
    The rest of the push is provisioned.
    """

    async def promise(world: StubWorld) -> None:
        odd, good = new_devices(2)

        foreseen, put_off = await register(Later(world.registry), replace(odd, name=name), good)
        refused, registered = await register(world.registry, replace(odd, name=name), good)

        assert "not-attempted" == codes([put_off])[0]
        assert str(refused.error) == str(foreseen.error)
        assert refused.error is not None
        assert "is no thing name" in refused.error.message
        assert "\n" not in refused.error.message
        assert ["ok"] == codes([registered])
        assert [good.name] == list(world.stub.registry.things)
        assert 1 == world.stub.calls["CreateThing"]

    in_stub(promise)


@pytest.mark.parametrize(
    "status", ["INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION"]
)
def test_a13_a_certificate_that_is_anything_but_active_is_refused(
    in_stub: InStub, new_devices: NewDevices, status: str
) -> None:
    """
    Among them one that just-in-time provisioning left PENDING_ACTIVATION: the answer says which.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        world.make_certificate(device, status)

        (refused,) = await register(world.registry, device)

        assert refused.error is not None
        assert "inactive" == refused.error.code
        assert f"the certificate is {status} in the registry" in refused.error.message
        assert status == world.status(device)
        assert not world.stub.registry.attached

    in_stub(promise)


def test_a_device_provisioned_just_in_time_is_left_as_it_is(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    The template made the thing and attached the certificate; a push of the same device finds it complete.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        world.make_thing(device.name, {"serialNumber": str(int(device.serial, 16)), "country": "DE"})
        world.make_certificate(device)
        world.attach(device.name, device)
        world.attach_policy(device)

        assert ["ok"] == codes(await register(world.registry, device))
        assert {"serialNumber": str(int(device.serial, 16)), "country": "DE"} == world.attributes(device.name)

    in_stub(promise)


def test_a_custom_device_endpoint_is_not_asked_for(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    A region with a custom domain says so in its settings.
    """

    async def promise(world: StubWorld) -> None:
        registry = world.another_process(device_endpoint="devices.example.com")

        (registration,) = await register(registry, *new_devices(1))

        assert "devices.example.com" == registration.endpoint
        assert 0 == world.stub.calls["DescribeEndpoint"]

    in_stub(promise)
