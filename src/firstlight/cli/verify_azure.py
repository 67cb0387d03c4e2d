"""
`firstlight verify azure`: connect to Azure IoT as a device and report every check.
"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight.cli.verify_options import FILE, JSON, KEY, NO_MUST_FAIL, TIMEOUT
from firstlight.cli.verify_report import missing_sdk, show
from firstlight.verify import azure_target as targets
from firstlight.verify.azure_checks import AzureChecks
from firstlight.verify.azure_target import AzureTarget
from firstlight.verify.report import Report


@click.command("azure")
@click.option("--id-scope", default="", metavar="SCOPE", help="Register through the DPS of this id scope, 0ne….")
@click.option("--hub", default="", metavar="HOST", help="Or connect to this IoT Hub, HUB.azure-devices.net.")
@click.option("--cert", required=True, type=FILE, help="The device's certificate (PEM or DER), and its chain.")
@KEY
@click.option("--registration-id", default="", metavar="ID", help="With --id-scope; default: the common name.")
@click.option("--device-id", default="", metavar="ID", help="With --hub; default: from the certificate.")
@click.option("--provisioning-host", default=targets.PROVISIONING_HOST, show_default=True, metavar="HOST")
@click.option(
    "--proxy", default="", metavar="URL", help="HTTP proxy, http://HOST:PORT; a laptop's Azure is behind one."
)
@click.option("--ca-file", type=FILE, help="CA certificates (PEM) of the servers; default: the system's.")
@click.option("--service", is_flag=True, help="Use the hub's own side too, with this machine's Azure credential.")
@TIMEOUT
@NO_MUST_FAIL
@click.option("--chain-needed", is_flag=True, help="That the leaf alone is not provisioned is one of them.")
@click.option("--anyway", is_flag=True, help="Connect although the certificate or the id cannot be right.")
@JSON
def command(
    *,
    id_scope: str,
    hub: str,
    cert: Path,
    key: Path,
    registration_id: str,
    device_id: str,
    provisioning_host: str,
    proxy: str,
    ca_file: Path | None,
    service: bool,
    timeout: float,
    no_must_fail: bool,
    chain_needed: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    """
    Connect to Azure IoT with the vendor's device SDK and report every check.

    Registers with the device provisioning service, or connects to a hub at once; then the device
    talks and tries what it must not be able to do.  A direct method needs --service.
    Exit status: 0 every check passed, 1 not, 2 something given cannot be used.
    """
    name, origin = (registration_id, "--registration-id") if id_scope else (device_id, "--device-id")
    if not name:
        name, origin = targets.name_of(cert, through_dps=bool(id_scope))
    target = targets.read(
        cert=cert,
        key=key,
        name=name,
        id_scope=id_scope,
        hub=hub,
        provisioning_host=provisioning_host,
        ca_file=ca_file,
        proxy=proxy,
        now=datetime.now(UTC),
        anyway=anyway,
    )
    click.echo(f"Connecting to {target.host} as {name} ({origin}).", err=True)
    checks = AzureChecks(must_fail=not no_must_fail, chain_needed=chain_needed)
    show(_verify(target, checks, timeout, service=service), as_json=as_json)


def _verify(target: AzureTarget, checks: AzureChecks, timeout: float, *, service: bool) -> Report:
    try:
        from firstlight.verify.azure import verify_device  # noqa: PLC0415 -- an extra that may not be installed
        from firstlight.verify.azure_hub_service import open_service  # noqa: PLC0415 -- as above
    except ModuleNotFoundError as e:
        raise missing_sdk(e) from e

    async def run() -> Report:
        async with open_service(os.environ, enabled=service) as side:
            return await verify_device(
                target,
                now=datetime.now(UTC),
                checks=checks,
                service=side,
                timeout=timeout,
                watch=lambda line: click.echo(line, err=True),
            )

    return asyncio.run(run())
