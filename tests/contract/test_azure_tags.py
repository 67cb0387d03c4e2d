"""
A device's attributes are tags of its twin: given at creation, added to what is there, never changed.
"""

from dataclasses import replace
from typing import Any

import pytest

from firstlight.identity import Attributes
from firstlight.local.azure_cloud import hub_twin
from firstlight.local.azure_cloud.world import Device
from tests.contract.conftest import InHub, InLaptopHub
from tests.contract.hub_world import HubWorld
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register

REEL: Attributes = (("reel", "7"), ("line", "Süd 2"))


def test_a_new_device_has_its_attributes_as_tags(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    With the same bulk call and the same role; one without attributes has none.
    """

    async def promise(world: LaptopHubWorld) -> None:
        tagged, plain = new_devices(2)

        registrations = await register(world.registry, replace(tagged, attributes=REEL), plain)

        assert ["ok", "ok"] == codes(registrations)
        assert [{"reel": "7", "line": "Süd 2"}, {}] == [world.hub.devices[d.name].twin.tags for d in (tagged, plain)]

    in_laptop_hub(promise)


def test_a_known_device_is_given_the_tags_it_lacks(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    What an operator wrote meanwhile stays; once all are there nothing is written.
    """

    async def promise(world: LaptopHubWorld) -> None:
        world.allow_twins()
        (device,) = new_devices(1)
        await register(world.registry, device)
        twin = world.hub.devices[device.name].twin
        twin.tags = {"line": "moved", "site": {"hall": 3}}

        for _ in range(2):
            assert ["ok"] == codes(await register(world.registry, replace(device, attributes=REEL)))

        assert {"line": "moved", "site": {"hall": 3}, "reel": "7"} == twin.tags
        assert 2 == twin.version

    in_laptop_hub(promise)


def test_what_an_operator_writes_at_the_same_time_stays(
    in_laptop_hub: InLaptopHub, new_devices: NewDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Between our look and our change: we look again, and add what is lacking still.
    """
    shown = hub_twin.shown

    async def promise(world: LaptopHubWorld) -> None:
        world.allow_twins()
        (device,) = new_devices(1)
        await register(world.registry, device)
        twin = world.hub.devices[device.name].twin

        def seen(of: Device) -> dict[str, Any]:
            answer = shown(of)
            if "line" not in twin.tags:
                hub_twin.patch(world.hub, of, {"tags": {"line": "moved"}})
            return answer

        monkeypatch.setattr(hub_twin, "shown", seen)
        assert ["ok"] == codes(await register(world.registry, replace(device, attributes=REEL)))

        assert {"line": "moved", "reel": "7"} == twin.tags

    in_laptop_hub(promise)


def test_tags_that_were_not_written_are_said(in_laptop_hub: InLaptopHub, new_devices: NewDevices) -> None:
    """
    Registering takes one role, a twin of a known device another; a push without tags goes on.
    """

    async def promise(world: LaptopHubWorld) -> None:
        tagged, plain = new_devices(2)
        await register(world.registry, tagged, plain)

        refused, registered = await register(world.registry, replace(tagged, attributes=REEL), plain)

        assert refused.error is not None
        assert (
            f"{tagged.name} is registered and can connect, but lacks tags: this endpoint may not change twins. "
            "Assign it the role IoT Hub Twin Contributor on the hub." == str(refused.error)
        )
        assert ["ok"] == codes([registered])

    in_laptop_hub(promise)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ((("a.b", "1"),), "'a.b' cannot be the name of a tag"),
        ((("$x", "1"),), "'$x' cannot be the name of a tag"),
        ((("a#", "1"),), "'a#' cannot be the name of a tag"),
        ((("a b", "1"),), "'a b' cannot be the name of a tag"),
        ((("", "1"),), "'' cannot be the name of a tag"),
        ((("a", "1"), ("a", "2")), "the tag 'a' is given twice"),
        ((("a\ud800", "1"),), "'a\\ud800' cannot be the name of a tag"),
        ((("a", "\x07"),), "holds control characters"),
        ((("a", "\udc00"),), "holds control characters"),
        ((("a", "ü" * 2049),), "is too long"),
        (tuple((f"k{i}", "v" * 4000) for i in range(3)), "its tags have 12006 bytes"),
    ],
)
def test_what_cannot_be_a_tag_is_refused_for_its_device(
    in_hub: InHub, new_devices: NewDevices, attributes: Attributes, said: str
) -> None:
    """
    Without a call; the others are registered.
    """

    async def promise(world: HubWorld) -> None:
        odd, good = new_devices(2)

        refused, registered = await register(world.registry, replace(odd, attributes=attributes), good)

        assert refused.error is not None
        assert said in refused.error.message
        assert ["ok"] == codes([registered])
        assert {good.name} == world.stub.registry.devices.keys()

    in_hub(promise)
