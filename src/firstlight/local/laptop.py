"""
The clouds on a laptop: started, the stacks of one region deployed to them, stopped with all they started.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from firstlight import regions as regions_file
from firstlight.deploy import assembly, assets, bundle, stacks, synth
from firstlight.deploy.bundle import Platform
from firstlight.local.addresses import Addresses
from firstlight.local.bootstrap import bootstrap
from firstlight.local.control_plane import ACCOUNT, DEVICE_HOST, ROOT, ControlPlane
from firstlight.local.front_door import FrontDoorProcess

_DEPLOYING = 120.0  # seconds


def _silent(_: str) -> None:
    pass


class Laptop:
    """
    A context manager around the laptop clouds of the state folder *folder*.

    Inside, the stacks that the file *regions* has for *region* (its first if empty) are deployed, unless
    *stacks* is false, and the addresses it gives are served.  A port of 0 is any free one.  *report* hears
    each step before it is taken.

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
        checkout: Path = bundle.CHECKOUT,
        region: str = "",
        port: int = 0,
        mqtt_port: int = 0,
        stacks: bool = True,
        report: Callable[[str], None] = _silent,
    ) -> None:
        self._folder = folder.resolve()
        self._regions = regions
        self._checkout = checkout
        self._wanted = region
        self._port, self._mqtt_port = port, mqtt_port
        self._with_stacks = stacks
        self._report = report
        self._running = ExitStack()

    def __enter__(self) -> Addresses:
        self._region = regions_file.find(regions_file.load(self._regions).aws, self._wanted)
        account = self._region.account or ACCOUNT
        with ExitStack() as started:
            self._report("Starting the laptop's AWS")
            self._aws = started.enter_context(
                ControlPlane(self._folder / "aws", region=self._region.name, account=account, port=self._port)
            )
            self._front_door = started.enter_context(
                FrontDoorProcess(
                    self._folder / "front-door",
                    endpoint_url=self._aws.endpoint_url,
                    region=self._region.name,
                    account=account,
                    port=self._mqtt_port,
                )
            )
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
        return self._aws.alive and self._front_door.alive

    def reset(self) -> Addresses:
        """
        Forget and disconnect every device, deploy the stacks anew, and return where things are now.

        Raises:
            DeploymentError: as on entering.
        """
        self._report("Wiping the laptop's AWS")
        self._aws.wipe()
        self._front_door.restart()
        return self.deploy()

    def deploy(self) -> Addresses:
        """
        Deploy the stacks as the checkout and the regions file are now, and return where things are.

        Raises:
            DeploymentError: as on entering.
        """
        return replace(self.bare, outputs=self._deploy(self.bare)) if self._with_stacks else self.bare

    @property
    def bare(self) -> Addresses:
        """
        Where things are when no stack is deployed.
        """
        return Addresses(
            endpoint_url=self._aws.endpoint_url,
            region=self._aws.region,
            account=self._aws.account,
            credentials=ROOT,
            mqtt_host=DEVICE_HOST,
            mqtt_port=self._front_door.port,
            ca_file=self._front_door.ca_file,
        )

    def _deploy(self, aws: Addresses) -> dict[str, dict[str, str]]:
        for platform in Platform:
            if not bundle.vendored(platform, checkout=self._checkout).is_dir():
                self._report(f"Fetching the Lambda's packages for {platform}, once")
                bundle.vendor(platform, checkout=self._checkout)
        self._report("Synthesizing the stacks")
        folder = synth.synthesize(self._checkout, self._regions, self._folder / "synth")
        synthesized = assembly.read(folder, account=aws.account, region=aws.region)
        code = bundle.assemble(
            Platform.HOST,
            out=self._folder / "lambda",
            trusted_issuers=self._region.trusted_issuers,
            checkout=self._checkout,
        )
        s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
        bootstrap(synthesized, region=aws.region, s3=s3, ssm=aws.client("ssm"))
        assets.publish((asset for stack in synthesized for asset in stack.assets), s3, code=code)
        outputs = {}
        for stack in synthesized:
            self._report(f"Deploying {stack.name}")
            outputs[stack.name] = stacks.deploy(stack, cloudformation, deadline=time.monotonic() + _DEPLOYING)
        return outputs
