"""
The demo, step by step.  Every sentence it ends with was seen in this run.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from firstlight import certificates
from firstlight.demo import workplace
from firstlight.demo.aws import AwsStory
from firstlight.demo.azure import AzureStory
from firstlight.demo.cast import assemble
from firstlight.demo.findings import Findings
from firstlight.local.laptop import Laptop
from firstlight.push import Entry, read

_REGION = "eu-west-1"

Tell = Callable[[str], None]


def run(folder: Path, *, reel: Path | None, tell: Tell) -> Findings:
    """
    Do the whole job once, in a new folder in *folder*, and return what was seen.

    The new folder stays only if something did not hold or start: its logs say why.

    *reel* names more certificates to push: a file, a folder or a manifest.  *tell* hears each step.

    Raises:
        UsageError: *reel* cannot be read.
        DeploymentError: the laptop clouds did not start.
    """
    more = read([reel]) if reel else []
    with workplace.taken(folder) as place:
        return _run(place, more, tell)


def _run(place: Path, more: Sequence[Entry], tell: Tell) -> Findings:
    cast = assemble(datetime.now(UTC), taken={certificates.load(e.certificate).serial for e in more})
    began = time.monotonic()
    with Laptop(place, regions=cast.write_regions(place, _REGION), report=tell) as laptop:
        story = AwsStory(cast, laptop, more, tell)
        story.findings.note(
            "stacks deployed",
            f"{len(laptop.outputs)} in {time.monotonic() - began:.0f} s, with no account",
            held=len(laptop.outputs) == 2,  # noqa: PLR2004 -- the ingest stack and the JITP stack
        )
        asyncio.run(story.play())
        if laptop.azure is not None:
            tell("The same on Azure")
            asyncio.run(AzureStory(cast, laptop.azure, more, place, story.findings).play())
    ports = [int(laptop.endpoint_url.rpartition(":")[2]), laptop.mqtt_port]
    if laptop.azure is not None:
        ports.append(int(laptop.azure.proxy_url.rpartition(":")[2]))
    story.findings.note(
        "nothing left running",
        f"ports {' and '.join(map(str, ports))} answer no more",
        held=not any(map(_answers, ports)),
    )
    if story.findings.held:
        shutil.rmtree(place)
    else:
        story.findings.logs = str(place)
    return story.findings


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
