"""
The AWS of a laptop: its control plane and front door started, the stacks of one region deployed to them.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from firstlight.deploy import assembly, assets, bundle, manifest_bundle, stacks, synth
from firstlight.deploy.bundle import Platform
from firstlight.local.addresses import Addresses
from firstlight.local.bootstrap import bootstrap
from firstlight.local.control_plane import ACCOUNT, DEVICE_HOST, ROOT, ControlPlane
from firstlight.local.front_door import FrontDoorProcess
from firstlight.regions import AwsRegion

_DEPLOYING = 120.0  # seconds


class AwsOnLaptop:
    """
    A context manager around the AWS of the state folder *folder*; see Laptop.
    """

    def __init__(
        self,
        folder: Path,
        region: AwsRegion,
        *,
        regions: Path,
        checkout: Path,
        port: int,
        mqtt_port: int,
        report: Callable[[str], None],
    ) -> None:
        account = region.account or ACCOUNT
        self._folder = folder
        self._region = region
        self._regions = regions
        self._checkout = checkout
        self._report = report
        self._mqtt_port = mqtt_port
        self._plane = ControlPlane(folder / "aws", region=region.name, account=account, port=port)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._report("Starting the laptop's AWS")
        with ExitStack() as started:
            started.enter_context(self._plane)
            self._front_door = started.enter_context(
                FrontDoorProcess(
                    self._folder / "front-door",
                    endpoint_url=self._plane.endpoint_url,
                    region=self._region.name,
                    account=self._plane.account,
                    port=self._mqtt_port,
                )
            )
            self._running = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def alive(self) -> bool:
        """
        Whether everything that was started still runs.
        """
        return self._plane.alive and self._front_door.alive

    def wipe(self) -> None:
        """
        Forget everything, disconnect every device.

        Raises:
            DeploymentError: it did not.
        """
        self._report("Wiping the laptop's AWS")
        self._plane.wipe()
        self._front_door.restart()

    @property
    def bare(self) -> Addresses:
        """
        Where things are when no stack is deployed.
        """
        return Addresses(
            endpoint_url=self._plane.endpoint_url,
            region=self._plane.region,
            account=self._plane.account,
            credentials=ROOT,
            mqtt_host=DEVICE_HOST,
            mqtt_port=self._front_door.port,
            ca_file=self._front_door.ca_file,
        )

    def deploy(self) -> Addresses:
        """
        Deploy the stacks as the checkout and the regions file are now; return where things are.

        Raises:
            DeploymentError: something did not deploy.
        """
        aws = self.bare
        self._fetch()
        self._report("Synthesizing the stacks")
        folder = synth.synthesize(self._checkout, self._regions, self._folder / "synth")
        synthesized = assembly.read(folder, account=aws.account, region=aws.region)
        code = self._code()
        s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
        bootstrap(synthesized, region=aws.region, s3=s3, ssm=aws.client("ssm"))
        assets.publish((asset for stack in synthesized for asset in stack.assets), s3, code=code)
        outputs = {}
        for stack in synthesized:
            self._report(f"Deploying {stack.name}")
            outputs[stack.name] = stacks.deploy(stack, cloudformation, deadline=time.monotonic() + _DEPLOYING)
        return replace(aws, outputs=outputs)

    def _fetch(self) -> None:
        for packages in (bundle, manifest_bundle) if self._region.manifest_uploads else (bundle,):
            for platform in Platform:
                if not packages.vendored(platform, checkout=self._checkout).is_dir():
                    self._report(f"Fetching the Lambda's packages for {platform}, once")
                    packages.vendor(platform, checkout=self._checkout)

    def _code(self) -> Path:
        """
        Return what all functions run here: each finds its handler in it, and the reader of archives if it needs one.
        """
        region, place = self._region, {"out": self._folder / "lambda", "checkout": self._checkout}
        if region.manifest_uploads:
            return manifest_bundle.assemble(
                Platform.HOST, trusted_issuers=region.trusted_issuers, signers=region.manifest_signers, **place
            )
        return bundle.assemble(Platform.HOST, trusted_issuers=region.trusted_issuers, **place)
