"""
Every registry, one fixture parameter each.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import cache
from itertools import count
from typing import Any

import pytest

from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ControlPlane
from tests.contract.calm_world import CalmAws, CalmHub
from tests.contract.hub_world import HubWorld
from tests.contract.laptop_hub_world import LaptopHubWorld
from tests.contract.laptop_world import LaptopWorld
from tests.contract.stub_world import StubWorld
from tests.contract.worlds import POLICY, AwsWorld, MemoryWorld, Open, World, keep
from tests.factory import Factory
from tests.faults import virtual_time

REGION = "eu-west-1"
_DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:*","Resource":"*"}]}'

# One promise about one kind of world, as an async function of the world.
InAny = Callable[[Callable[[World], Any]], None]
InAws = Callable[[Callable[[AwsWorld], Any]], None]
InStub = Callable[[Callable[[StubWorld], Any]], None]
InLaptop = Callable[[Callable[[LaptopWorld], Any]], None]
InHub = Callable[[Callable[[HubWorld], Any]], None]
InLaptopHub = Callable[[Callable[[LaptopHubWorld], Any]], None]


@pytest.fixture(scope="session")
def laptop_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """
    The laptop's AWS by itself, with a device policy.
    """
    with ControlPlane(tmp_path_factory.mktemp("aws"), region=REGION) as running:
        aws = Addresses(
            endpoint_url=running.endpoint_url, region=REGION, account=running.account, credentials=running.credentials
        )
        aws.client("iot").create_policy(policyName=POLICY, policyDocument=_DOCUMENT)
        yield aws


@pytest.fixture(params=["memory", "stub", "calm-aws", "laptop", "hub", "calm-hub", "laptop-hub"])
def in_any_world(request: pytest.FixtureRequest) -> InAny:
    return _in(request, request.param)


@pytest.fixture(params=["stub", "calm-aws", "laptop"])
def in_aws(request: pytest.FixtureRequest) -> InAws:
    return _in(request, request.param)


@pytest.fixture
def in_stub(request: pytest.FixtureRequest) -> InStub:
    return _in(request, "stub")


@pytest.fixture
def in_laptop(request: pytest.FixtureRequest) -> InLaptop:
    return _in(request, "laptop")


@pytest.fixture
def in_hub(request: pytest.FixtureRequest) -> InHub:
    return _in(request, "hub")


@pytest.fixture
def in_laptop_hub(request: pytest.FixtureRequest) -> InLaptopHub:
    return _in(request, "laptop-hub")


def _in(request: pytest.FixtureRequest, name: str) -> Callable[[Callable[[Any], Any]], None]:
    def memory() -> Open:
        async def opened(_: AsyncExitStack) -> MemoryWorld:
            return MemoryWorld()

        return opened

    def laptop() -> Open:
        aws = request.getfixturevalue("laptop_aws")

        async def opened(stack: AsyncExitStack) -> LaptopWorld:
            return LaptopWorld(stack, aws)

        return opened

    worlds: dict[str, Callable[[], Open]] = {
        "memory": memory,
        "stub": lambda: StubWorld.open,
        "calm-aws": lambda: CalmAws.open,
        "laptop": laptop,
        "hub": lambda: HubWorld.open,
        "calm-hub": lambda: CalmHub.open,
        "laptop-hub": lambda: LaptopHubWorld.open,
    }
    open_world = worlds[name]()
    run = virtual_time.run if name.startswith("calm") else asyncio.run
    return lambda promise: keep(open_world, promise, run)


@cache
def _maker() -> Factory:
    return Factory()


_serials = count(0x0455AECB)


@pytest.fixture
def new_devices() -> Callable[..., list[DeviceIdentity]]:
    """
    A function that issues devices nobody has seen, all of one name if `rivals`.
    """

    def make(number: int, *, rivals: bool = False) -> list[DeviceIdentity]:
        rule = NamingRule(prefix="Infineon_")
        serial = next(_serials)
        leaves = [_maker().leaf(serial=serial if rivals else next(_serials)) for _ in range(number)]
        return [DeviceIdentity.from_certificate(leaf, rule) for leaf in leaves]

    return make
