"""
`firstlight ingest`: the ingest API on a machine of your own.
"""

import asyncio
import gc
import os
import ssl
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from firstlight import telemetry
from firstlight.cli.ingest_work import work
from firstlight.endpoint import interop_from
from firstlight.errors import UsageError
from firstlight.ingest import Handler, Limits, listening, server_tls
from firstlight.ingest.clouds import Cloud, open_registry
from firstlight.ingest.logs import Lines
from firstlight.ingest.queues import open_overflow
from firstlight.ingest.signals import until_signalled
from firstlight.loopback import is_loopback
from firstlight.settings import Settings

_FILE = click.Path(path_type=Path)


@click.group("ingest")
def command() -> None:
    """
    Serve the ingest API, or work its queue off, on a machine of your own.
    """


command.add_command(work)


@command.command("serve")
@click.option(
    "--cloud", required=True, type=click.Choice([cloud.value for cloud in Cloud]), help="Where devices are registered."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="0 is any free port.")
@click.option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="", help="AWS region [$AWS_REGION].")
@click.option("--tls-cert", type=_FILE, help="Server certificate and chain (PEM).")
@click.option("--tls-key", type=_FILE, help="Its key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="Plain HTTP on any address: a proxy in front speaks TLS.")
@click.option(
    "--max-pushes", default=Limits().pushes, show_default=True, type=click.IntRange(1), help="Pushes at once."
)
def serve(
    *,
    cloud: str,
    host: str,
    port: int,
    region: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
    max_pushes: int,
) -> None:
    """
    Answer pushes until SIGTERM or Ctrl-C, then finish those in flight.

    The environment says who may push, how devices are named, and into which queue goes what a push
    cannot finish; docs/settings.md lists it.  One line on stdout says where the API is; logs are JSON
    lines on stderr.
    """
    settings = Settings.from_env(os.environ)
    tls = _tls(tls_cert, tls_key)
    if tls is None and not behind_proxy and not is_loopback(host):
        raise UsageError(
            f"Credentials would travel to {host} in the clear.",
            hint="Give --tls-cert and --tls-key, or --behind-proxy if something in front of this speaks TLS.",
        )
    serving = _serve(
        Cloud(cloud), settings, region=region, host=host, port=port, tls=tls, limits=Limits(pushes=max_pushes)
    )
    try:
        asyncio.run(serving)
    except asyncio.CancelledError:
        sys.exit(1)


async def _serve(
    cloud: Cloud,
    settings: Settings,
    *,
    region: str,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    limits: Limits,
) -> None:
    log = Lines(sys.stderr)
    log.take_over()
    stop = until_signalled()
    place = settings.hub if cloud is Cloud.AZURE else region
    async with (
        open_registry(cloud, settings, region=region) as registry,
        open_overflow(cloud, settings, region=region) as overflow,
    ):
        now = partial(datetime.now, UTC)
        handler = Handler(
            interop_from(settings, registry, now=now, overflow=overflow, inspector=registry),
            deadline=settings.deadline,
            source=telemetry.Source(region=place, function="ingest"),
            write=log.write,
            limits=limits,
        )
        async with listening(handler, host=host, port=port, tls=tls) as url:
            # what was made until now stays to the end, and the collector need not look through it at every turn
            gc.collect()
            gc.freeze()
            click.echo(f"Listening on {url} for {cloud}{f' {place}' if cloud is not Cloud.MEMORY else ''}.")
            await stop.wait()
            log.write(telemetry.event_line("stopping", {}))
    log.write(telemetry.event_line("stopped", {}))


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key belong together.")
    return server_tls(certificate, key)
