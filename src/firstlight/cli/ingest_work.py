"""
`firstlight ingest work`: work the queue of unfinished devices off on a machine of your own.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from functools import partial

import click

from firstlight import telemetry
from firstlight.endpoint import admission_from
from firstlight.ingest.clouds import Cloud, open_registry
from firstlight.ingest.logs import Lines
from firstlight.ingest.queues import open_source
from firstlight.ingest.signals import until_signalled
from firstlight.ingest.worker import Tally, Worker
from firstlight.settings import Settings

_CLOUDS = [Cloud.AWS.value, Cloud.AZURE.value]
# Seconds in which a queue that is to be emptied has to say that there is more.
_LAST_LOOK = 2.0


@click.command("work")
@click.option("--cloud", required=True, type=click.Choice(_CLOUDS), help="Where devices are registered.")
@click.option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="", help="AWS region [$AWS_REGION].")
@click.option("--batches", default=8, show_default=True, type=click.IntRange(1, 64), help="Batches at once.")
@click.option("--once", is_flag=True, help="End when the queue is empty.")
def work(*, cloud: str, region: str, batches: int, once: bool) -> None:
    """
    Carry on what pushes could not finish, until SIGTERM or Ctrl-C; then finish the batches under way.

    FIRSTLIGHT_QUEUE_URL says which queue, the rest of the environment how devices are named
    (docs/settings.md).  Logs are JSON lines on stderr.  With --once, exit status 1 says that some of
    what was taken went back into the queue.
    """
    settings = Settings.from_env(os.environ, answers=False)
    try:
        tally = asyncio.run(_work(Cloud(cloud), settings, region=region, batches=batches, once=once))
    except asyncio.CancelledError:
        sys.exit(1)
    click.echo(f"{tally.done} done, {tally.again} back in the queue.")
    sys.exit(1 if once and tally.again else 0)


async def _work(cloud: Cloud, settings: Settings, *, region: str, batches: int, once: bool) -> Tally:
    log = Lines(sys.stderr)
    log.take_over()
    stop = until_signalled()
    admission = admission_from(settings)
    place = settings.hub if cloud is Cloud.AZURE else region
    async with (
        open_registry(cloud, settings, region=region, eager=True) as registry,
        open_source(cloud, settings, region=region) as source,
    ):
        worker = Worker(
            source=source,
            registry=registry,
            admission=admission,
            now=partial(datetime.now, UTC),
            deadline=settings.deadline,
            place=telemetry.Source(region=place, function="worker"),
            write=log.write,
            **({"listening": _LAST_LOOK} if once else {}),
        )
        log.write(telemetry.event_line("working", {"batches": batches}))
        tally = await worker.run(stop, hands=batches, until_empty=once)
    log.write(telemetry.event_line("stopped", {}))
    return tally
