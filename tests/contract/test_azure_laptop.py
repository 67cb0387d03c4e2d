"""
What the laptop's Azure refuses the Azure registry, as a real one would: each is one sentence.
"""

from firstlight.provision import Registration
from tests.contract.conftest import InLaptopHub
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register


def _sentence(registration: Registration) -> str:
    assert registration.error is not None
    assert "\n" not in str(registration.error)
    return str(registration.error)


def test_a_missing_role_is_named(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    A hub answers 401 then, as it does to a token it does not believe.
    """

    async def promise(world: LaptopHubWorld) -> None:
        world.take_role_away()

        (refused,) = await register(world.registry, *new_devices(1))

        assert "Assign it the role IoT Hub Registry Contributor on the hub" in _sentence(refused)

    in_laptop_hub(promise)


def test_a_secret_that_is_not_believed_is_named(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    Entra ID's words follow; the secret does not.
    """

    async def promise(world: LaptopHubWorld) -> None:
        (refused,) = await register(world.another_process(secret="wrong-secret"), *new_devices(1))

        assert "this endpoint has no valid Entra ID token for the hub" in _sentence(refused)
        assert "wrong-secret" not in _sentence(refused)

    in_laptop_hub(promise)


def test_a_hub_that_does_not_exist_is_named(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    Where something else answers for its name.
    """

    async def promise(world: LaptopHubWorld) -> None:
        registry = world.another_process(hub="moon.azure-devices.net")

        (refused,) = await register(registry, *new_devices(1))

        assert "moon.azure-devices.net has no registry of devices" in _sentence(refused)

    in_laptop_hub(promise)


def test_an_s1_hub_throttles_and_nothing_is_claimed(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    A hundred operations a minute; the looks of a second push are more than that.
    """

    async def promise(world: LaptopHubWorld) -> None:
        world.hub.sku = "S1"
        devices = new_devices(200)

        first = await register(world.registry, *devices, seconds=9)
        second = await register(world.registry, *devices, seconds=9)

        assert ["ok"] * 200 == codes(first)
        assert {"ok", "throttled", "not-attempted"} == set(codes(second))
        assert all(r.error is not None or world.can_connect(d) for d, r in zip(devices, second, strict=True))

    in_laptop_hub(promise)
