"""
The clouds on a laptop: started, one region of each deployed to them, stopped with all they started.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from firstlight import regions as regions_file
from firstlight.deploy import bundle
from firstlight.errors import RegionsError
from firstlight.local.addresses import Addresses
from firstlight.local.laptop_aws import AwsOnLaptop
from firstlight.local.laptop_azure import AzureOnLaptop
from firstlight.regions import Regions
from firstlight.regions.tables import R


class Cloud(StrEnum):
    """
    What runs on a laptop.
    """

    AWS = "aws"
    AZURE = "azure"


def _silent(_: str) -> None:
    pass


class Laptop:
    """
    A context manager around the laptop clouds of the state folder *folder*.

    Inside, what the file *regions* has for *region* (empty: the first of each cloud) is deployed, unless *stacks* is
    false, and the addresses it gives are served.  *clouds* are the ones to run; None is all that the file has regions
    of.  A port of 0 is any free one.  *report* hears each step before it is taken.

    Raises, on entering:
        UsageError: a port is taken, or *checkout* is not a checkout of firstlight.
        RegionsError: the regions file is wrong, or has no such region.
        DeploymentError: something did not start or deploy; the sentence says what, and why.
    """

    def __init__(
        self,
        folder: Path,
        *,
        regions: Path,
        clouds: Sequence[str] | None = None,
        checkout: Path = bundle.CHECKOUT,
        region: str = "",
        port: int = 0,
        mqtt_port: int = 0,
        azure_port: int = 0,
        stacks: bool = True,
        report: Callable[[str], None] = _silent,
    ) -> None:
        self._folder = folder.resolve()
        self._regions = regions
        self._clouds = clouds
        self._checkout = checkout
        self._wanted = region
        self._ports = port, mqtt_port, azure_port
        self._with_stacks = stacks
        self._report = report
        self._aws: AwsOnLaptop | None = None
        self._azure: AzureOnLaptop | None = None
        self._running = ExitStack()

    def __enter__(self) -> Addresses:
        self._choose(regions_file.load(self._regions))
        with ExitStack() as started:
            for cloud in self._started:
                started.enter_context(cloud)
            addresses = self.deploy()
            self._running = started.pop_all()
        return addresses

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def alive(self) -> bool:
        """
        Whether everything that was started still runs.
        """
        return all(cloud.alive for cloud in self._started)

    def reset(self) -> Addresses:
        """
        Forget and disconnect every device, deploy anew, and return where things are now.

        Raises:
            DeploymentError: as on entering.
        """
        for cloud in self._started:
            cloud.wipe()
        return self.deploy()

    def deploy(self) -> Addresses:
        """
        Deploy what the checkout and the regions file are now, and return where things are.

        Raises:
            DeploymentError: as on entering.
        """
        if not self._with_stacks:
            return self.bare
        aws = self._aws.deploy() if self._aws else Addresses()
        return replace(aws, azure=self._azure.deploy() if self._azure else None)

    @property
    def bare(self) -> Addresses:
        """
        Where things are when nothing is deployed.
        """
        aws = self._aws.bare if self._aws else Addresses()
        return replace(aws, azure=self._azure.bare if self._azure else None)

    @property
    def _started(self) -> list[AwsOnLaptop | AzureOnLaptop]:
        return [cloud for cloud in (self._aws, self._azure) if cloud is not None]

    def _choose(self, known: Regions) -> None:
        port, mqtt_port, azure_port = self._ports
        if (aws := self._region(Cloud.AWS, known.aws, known.azure)) is not None:
            self._aws = AwsOnLaptop(
                self._folder,
                aws,
                regions=self._regions,
                checkout=self._checkout,
                port=port,
                mqtt_port=mqtt_port,
                report=self._report,
            )
        if (azure := self._region(Cloud.AZURE, known.azure, known.aws)) is not None:
            self._azure = AzureOnLaptop(
                self._folder, azure, checkout=self._checkout, port=azure_port, report=self._report
            )

    def _region(self, cloud: Cloud, its: Sequence[R], others: Sequence[object]) -> R | None:
        """
        Return the region of *cloud* to run, None if it is not to run; *others* are the other cloud's.
        """
        if cloud not in (self._clouds or Cloud) or (self._clouds is None and not its):
            return None
        if not its:
            raise RegionsError(
                f"{self._regions} names no region of {cloud}.",
                hint=f"Add a table such as [{cloud}.…], or leave it out.",
            )
        # a region's name is of one cloud only: the other one takes its first
        elsewhere = self._wanted in _names(others) and (self._clouds is None or len(self._clouds) > 1)
        return regions_file.find(its, "" if elsewhere else self._wanted)


def _names(regions: Sequence[object]) -> set[str]:
    return {str(getattr(region, "name", "")) for region in regions}
