"""
`firstlight verify aws`: connect to AWS IoT as a device and report every check.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from firstlight.cli.verify_options import FILE, JSON, KEY, NO_MUST_FAIL, TIMEOUT
from firstlight.cli.verify_report import missing_sdk, show
from firstlight.identity import Naming
from firstlight.verify import target as targets
from firstlight.verify.checks import Checks
from firstlight.verify.report import MqttVersion, Report
from firstlight.verify.target import Target

_VERSIONS = {
    "5": (MqttVersion.V5,),
    "3.1.1": (MqttVersion.V311,),
    "both": (MqttVersion.V5, MqttVersion.V311),
}


@click.command("aws")
@click.option("--endpoint", required=True, metavar="HOST", help="The account's endpoint for devices (iot:Data-ATS).")
@click.option("--cert", required=True, type=FILE, help="The device's certificate (PEM or DER), or its chain.")
@KEY
@click.option(
    "--port", default=8883, show_default=True, type=click.IntRange(1, 65_535), help="8883, or 443 (with ALPN)."
)
@click.option("--ca-file", type=FILE, help="CA certificates (PEM) of the server; default: the system's.")
@click.option("--client-id", default="", metavar="NAME", help="The thing's name; default: from the certificate.")
@click.option("--naming", type=click.Choice([n.value for n in Naming]), help="Which fact of the certificate names it.")
@click.option("--thing-prefix", default="", metavar="TEXT", help="What stands before that; - for nothing.")
@click.option("--protocol", type=click.Choice(list(_VERSIONS)), default="both", show_default=True, help="MQTT version.")
@TIMEOUT
@NO_MUST_FAIL
@click.option("--anyway", is_flag=True, help="Connect although the certificate or endpoint cannot be right.")
@JSON
def command(
    *,
    endpoint: str,
    cert: Path,
    key: Path,
    port: int,
    ca_file: Path | None,
    client_id: str,
    naming: str | None,
    thing_prefix: str,
    protocol: str,
    timeout: float,
    no_must_fail: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    """
    Connect to AWS IoT with the vendor's device SDK and report every check.

    The first connect of a device that is provisioned just in time is closed by the cloud: it is
    tried again.  Then the device talks to itself, and tries what it must not be able to do.
    Exit status: 0 every check passed, 1 not, 2 something given cannot be used.
    """
    name, origin = client_id, "--client-id"
    if not client_id:
        name, origin = targets.client_id_of(cert, naming=Naming(naming) if naming else None, prefix=thing_prefix)
    target = targets.read(
        endpoint=endpoint,
        port=port,
        cert=cert,
        key=key,
        client_id=name,
        ca_file=ca_file,
        now=datetime.now(UTC),
        anyway=anyway,
    )
    click.echo(f"Connecting to {target.endpoint}:{port} as {name} ({origin}).", err=True)
    checks = Checks(versions=_VERSIONS[protocol], must_fail=not no_must_fail)
    report = _verify(target, checks, timeout, lambda line: click.echo(line, err=True))
    show(report, as_json=as_json)


def _verify(target: Target, checks: Checks, timeout: float, watch: Callable[[str], None]) -> Report:
    try:
        from firstlight.verify.aws import verify_device  # noqa: PLC0415 -- an extra that may not be installed
    except ModuleNotFoundError as e:
        raise missing_sdk(e) from e
    return asyncio.run(verify_device(target, checks=checks, timeout=timeout, watch=watch))
