"""
What an IoT Hub says of its devices: READY exactly when a push would have nothing to do.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.stub_hub import HTML
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Inspector, Sought, Standing
from firstlight.registries.azure_iot import Means
from tests.contract.conftest import InHub, InLaptopHub
from tests.contract.hub_world import HASTY, HubWorld
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register


async def _inspect(inspector: Inspector, *devices: DeviceIdentity, seconds: float = 30.0) -> Sequence[Standing]:
    sought = [Sought(d.fingerprint, d.name, d.common_name) for d in devices]
    return await inspector.inspect(sought, deadline=asyncio.get_running_loop().time() + seconds)


@pytest.mark.parametrize("where", ["in_hub", "in_laptop_hub"])
def test_a_device_is_ready_once_it_is_registered(
    where: str, request: pytest.FixtureRequest, new_devices: NewDevices
) -> None:
    """
    Before it is unknown, and incomplete while it is switched off; nothing is changed by asking.
    """

    async def promise(world: HubWorld | LaptopHubWorld) -> None:
        ready, off, unknown = new_devices(3)
        await register(world.registry, ready, off)
        world.set_status(off, "INACTIVE")

        for _ in range(2):
            assert [
                Standing(Condition.READY, endpoint=world.registry_host),
                Standing(Condition.INCOMPLETE, ("it is disabled",)),
                Standing(Condition.UNKNOWN),
            ] == await _inspect(world.registry, ready, off, unknown)

    request.getfixturevalue(where)(promise)


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        ({"type": "certificateAuthority"}, "it is let in by a CA, not by this thumbprint"),
        ({"type": "sas", "symmetricKey": {"primaryKey": "x"}}, "it is let in by a shared key, not by this thumbprint"),
        ({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "AB" * 32}}, "it has another thumbprint"),
        ({"type": "none"}, "it is let in by none, not by this thumbprint"),
        ({}, "it is let in by nothing known, not by this thumbprint"),
    ],
)
def test_what_an_incomplete_device_lacks_is_said(
    in_hub: InHub, new_devices: NewDevices, proof: dict[str, Any], said: str
) -> None:
    """
    All of it; a push of the same device is refused.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        world.make(device.name, proof, "disabled")

        (standing,) = await _inspect(world.registry, device)

        assert (Condition.INCOMPLETE, ("it is disabled", said)) == (standing.condition, standing.missing)
        assert ["name-taken"] == codes(await register(world.registry, device))

    in_hub(promise)


def test_the_secondary_thumbprint_is_as_good(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    A rotation puts the next certificate there.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        world.make(
            device.name, {"type": "selfSigned", "x509Thumbprint": {"secondaryThumbprint": device.fingerprint.upper()}}
        )

        assert [Condition.READY] == [s.condition for s in await _inspect(world.registry, device)]

    in_hub(promise)


def test_a_device_let_in_by_its_ca_is_ready_where_that_is_wished(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    And only if its common name is its id, as a push would see it.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        world.make(device.name, {"type": "certificateAuthority"})
        by_ca = world.another_process(preferred=Means.CA)
        asked = [replace(device, common_name=device.name), device]

        assert [Condition.READY, Condition.INCOMPLETE] == [s.condition for s in await _inspect(by_ca, *asked)]
        for identity, code in zip(asked, ("ok", "name-taken"), strict=True):
            assert [code] == codes(await register(by_ca, identity))

    in_hub(promise)


def test_a_fingerprint_alone_is_an_error_of_that_entry(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    A hub does not find devices by it; the others are answered.
    """

    async def promise(world: HubWorld) -> None:
        (device,) = new_devices(1)
        await register(world.registry, device)

        nameless, ready = await _inspect(world.registry, replace(device, name=""), device)

        assert "Send the certificate instead of its fingerprint." in str(nameless.error)
        assert Condition.READY is ready.condition
        assert 1 == world.stub.calls["Get"]

    in_hub(promise)


def test_throttles_and_faults_are_waited_out(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    At the pace of pushes; in the end everything is said.
    """

    async def promise(world: HubWorld) -> None:
        devices = new_devices(60)
        await register(world.registry, *devices)
        world.weather(tps={"Registry": 200.0}, burst={"Registry": 20}, faults={"Get": {"500": 0.1}})

        assert {Condition.READY} == {s.condition for s in await _inspect(world.registry, *devices)}
        assert world.stub.throttled["Get"] > 0

    in_hub(promise)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("429", "throttled", "was still throttling when the deadline came. Push again"),
        ("500", "unfinished", "failed with ServerError. Ask again."),
        ("403", "registry", "does not allow this endpoint to look at devices."),
        (HTML, "registry", "is no IoT Hub, but something with web pages"),
        ("404", "registry", "has no registry of devices"),
    ],
)
def test_what_the_hub_does_not_say_is_an_error(
    in_hub: InHub, new_devices: NewDevices, fault: str, code: str, said: str
) -> None:
    """
    Never a guess, and never before the deadline has something else to say.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"*": {fault: 1.0}})

        # longer away than there is time: nobody waits for a hub that asks to be left alone
        registry = world.another_process(patience=replace(HASTY, throttled=60.0))

        standings = await _inspect(registry, *new_devices(5))

        assert {code} == {s.error.code for s in standings if s.error is not None}
        sentences = {str(s.error) for s in standings}
        assert all(s.startswith("Nothing can be said of it: ") for s in sentences)
        assert any(said.replace("Push again", "Ask again") in s for s in sentences), sentences

    in_hub(promise)


def test_a_deadline_that_has_passed_is_said(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Nothing is asked then.
    """

    async def promise(world: HubWorld) -> None:
        (standing,) = await _inspect(world.registry, *new_devices(1), seconds=0)

        assert "Nothing can be said of it: the deadline came first. Ask again." == str(standing.error)
        assert 0 == world.stub.calls["Get"]

    in_hub(promise)


def test_a_missing_role_is_named(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    As it is to a push.
    """

    async def promise(world: LaptopHubWorld) -> None:
        world.take_role_away()

        (standing,) = await _inspect(world.registry, *new_devices(1))

        assert "Assign it the role IoT Hub Registry Contributor on the hub" in str(standing.error)

    in_laptop_hub(promise)
