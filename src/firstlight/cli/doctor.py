"""
`firstlight doctor`: say what stands between a device and its cloud, and the command that mends it.
"""

import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from firstlight.cli import output
from firstlight.cli.ca_files import read
from firstlight.cli.doctor_given import Given
from firstlight.cli.facts import printable
from firstlight.cli.verify_report import missing_sdk
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis, Finding, Verdict
from firstlight.errors import CertificateError, UsageError

_FILE = click.Path(path_type=Path)


@click.command("doctor")
@click.option("--cert", required=True, type=_FILE, help="The device's certificate (PEM or DER), and its chain.")
@click.option("--key", type=_FILE, help="Its private key: the device then connects, as it would by itself.")
@click.option("--cloud", type=click.Choice(["aws", "azure"]), default="aws", show_default=True)
@click.option("--region", default="", help="The cloud's region; AWS: default $AWS_REGION; Azure: the file's first.")
@click.option(
    "--endpoint", default="", metavar="HOST", help="The host it dials; default: the account's, the DPS or the hub."
)
@click.option("--port", default=8883, show_default=True, type=click.IntRange(1, 65_535), help="AWS: 8883, or 443.")
@click.option("--ca-file", type=_FILE, help="CA certificates (PEM) of the server; default: the system's.")
@click.option("--thing", "name", default="", metavar="NAME", help="The name it connects under; default: as registered.")
@click.option(
    "--regions-file",
    type=_FILE,
    default=Path("regions.toml"),
    envvar="FIRSTLIGHT_REGIONS_FILE",
    show_default=True,
    show_envvar=True,
    help="Azure: names the region; AWS: its other regions are asked for the certificate, too.",
)
@click.option(
    "--id-scope", default="", metavar="SCOPE", help="Azure: the device registers with the DPS of this id scope."
)
@click.option("--proxy", default="", metavar="URL", help="Azure: the HTTP proxy of the device, http://HOST:PORT.")
@click.option(
    "--subscription",
    envvar="AZURE_SUBSCRIPTION_ID",
    show_envvar=True,
    default="",
    help="Azure: subscription id; the region's own, if it has one, must be the same.",
)
@click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="Seconds within which the device must be online.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, cert: Path, key: Path | None, name: str, cloud: str, as_json: bool, **given: Any) -> None:
    """
    Say what stands between a device and its cloud, the first cause first, and the command that mends each.

    Reads the certificate, the registry, the CA, the template and the policy; on Azure the enrollments, the CA
    certificates and the hub's device.  With --key the device also connects; one that nobody knows yet is thereby
    provisioned.  What could not be read is said, and never guessed.
    Exit status: 0 nothing stands in the way, 1 something does, or may for all that could be read, 2 you asked wrongly.
    """
    try:
        device = Device.shown(
            read(cert), name=name, file=str(cert), key_file=str(key or "device.key"), now=datetime.now(UTC)
        )
    except CertificateError as e:
        raise UsageError(f"{cert}: {e.message}", hint=e.hint) from e
    options = Given(cert=cert, key=key, watch=lambda line: click.echo(line, err=True), **given)
    try:
        diagnosis = importlib.import_module(f"firstlight.cli.doctor_{cloud}").diagnosed(device, options)
    except ModuleNotFoundError as e:
        raise missing_sdk(e) from e
    if as_json:
        output.print_json(diagnosis.to_json())
    else:
        _print(diagnosis)
    sys.exit(0 if diagnosis.verdict is Verdict.HEALTHY else 1)


def _print(diagnosis: Diagnosis) -> None:
    click.echo(f"{printable(diagnosis.device)} on {diagnosis.cloud}, certificate {diagnosis.certificate}")
    for number, finding in enumerate(diagnosis.findings, 1):
        _print_finding(number, finding)
    if diagnosis.unread:
        click.echo("\nNot known")
        for one in diagnosis.unread:
            click.echo(f"   {printable(one.problem)} ({', '.join(one.codes)})")
    if diagnosis.fine:
        click.echo("\nFine")
        for _, evidence in diagnosis.fine:
            click.echo(f"   {printable(evidence)}")
    click.echo(f"\n{_VERDICTS[diagnosis.verdict]}")


def _print_finding(number: int, finding: Finding) -> None:
    may = "" if finding.certain else " (may stand in the way)"
    click.echo(f"\n{number}. {finding.title}{may}: {finding.code}")
    click.echo(f"   {printable(finding.evidence)}")
    for line in finding.mend:
        click.echo(f"   $ {printable(line)}")
    if finding.advice:
        click.echo(f"   {printable(finding.advice)}")


_VERDICTS = {
    Verdict.HEALTHY: "Nothing stands in the way.",
    Verdict.BLOCKED: "Mend the first cause first, and ask again: those after it may be its consequences.",
    Verdict.UNDECIDED: "Nothing was found, and not everything could be read; with --key the device itself would tell.",
}
