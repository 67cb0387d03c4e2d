"""
The clouds of the fault suite as worlds: in memory, in virtual time, and in fine weather.

They are held to the promises too, so that what the suite finds is said of a faithful cloud.
"""

from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.stub_cloud import StubCloud
from benchmarks.stub_hub import Addresses, StubHub
from tests.contract.hub_world import HubWorld
from tests.contract.stub_world import StubWorld
from tests.faults.aws_cloud import AwsCloud
from tests.faults.azure_cloud import HUB, AzureCloud
from tests.faults.process import Process
from tests.faults.weather import Weather
from tests.faults.wire import Wire


class CalmAws(StubWorld):
    """
    An AWS whose calls are carried by the wire of the fault suite.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self.cloud = AwsCloud(Wire(Weather(0)))
        stack.enter_context(self.cloud.wired())
        Process("a test").enter()
        super().__init__(stack, StubCloud(self.cloud.registry), "https://aws.invalid")

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "CalmAws":
        return cls(stack)


class CalmHub(HubWorld):
    """
    A hub whose calls are carried by the wire of the fault suite.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        stub = StubHub()
        self.cloud = AzureCloud(Wire(Weather(0)), registry=stub.registry)
        stack.enter_context(self.cloud.wired())
        Process("a test").enter()
        super().__init__(stack, stub, Addresses(HUB, Path(), ""))

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "CalmHub":
        return cls(stack)
