"""
`firstlight azure enrollment-group`: whose devices a region's provisioning service registers.
"""

from pathlib import Path

import click

from firstlight.azure_clients import Rest
from firstlight.cli import azure_place, output
from firstlight.cli.ca_files import load_certificate
from firstlight.cli.facts import print_facts
from firstlight.deploy import azure_enrollments
from firstlight.deploy.azure_enrollments import EnrollmentGroup
from firstlight.errors import UsageError
from firstlight.outputs import AzureOutput


@click.group("enrollment-group")
def command() -> None:
    """
    Create, list and disable enrollment groups.
    """


@command.command()
@click.argument("name")
@click.option("--ca", default="", help="Name of an uploaded CA certificate (firstlight azure ca list).")
@click.option("--intermediate", type=azure_place.FILE, help="Or the certificate of an intermediate CA itself.")
@azure_place.options
def create(
    *,
    name: str,
    ca: str,
    intermediate: Path | None,
    region: str,
    regions_file: Path,
    subscription: str,
    as_json: bool,
) -> None:
    """
    Create the enrollment group NAME: devices below a CA are registered when they first connect.

    A group that is there already is described, with what differs from what you asked.
    """
    if bool(ca) == (intermediate is not None):
        raise UsageError("Give one of --ca and --intermediate.")
    own = None if intermediate is None else load_certificate(intermediate)
    made = azure_enrollments.create(_service(region, regions_file, subscription), name, ca=ca, intermediate=own)
    if not made.new:
        click.echo("firstlight: this group is there already; nothing was changed.", err=True)
    for difference in made.differences:
        click.echo(f"firstlight: {difference}", err=True)
    extra = {"new": made.new, "differences": list(made.differences)} if as_json else {}
    print_facts({**_facts(made.group), **extra}, as_json=as_json)


@command.command("list")
@azure_place.options
def list_(*, region: str, regions_file: Path, subscription: str, as_json: bool) -> None:
    """
    List the enrollment groups of the region.
    """
    groups = [_facts(g) for g in azure_enrollments.list_all(_service(region, regions_file, subscription))]
    if as_json:
        output.print_json(groups)
    elif groups:
        output.print_table(list(groups[0]), [list(group.values()) for group in groups])
    else:
        click.echo(f"firstlight: there is no enrollment group in {region}.", err=True)


@command.command()
@click.argument("name")
@azure_place.options
def disable(*, name: str, region: str, regions_file: Path, subscription: str, as_json: bool) -> None:
    """
    Disable the enrollment group NAME: nobody new is registered by it, whoever was stays registered.
    """
    was_enabled = azure_enrollments.disable(_service(region, regions_file, subscription), name)
    if not was_enabled:
        click.echo("firstlight: this group is disabled already; nothing was changed.", err=True)
    print_facts({"name": name, "status": "disabled"}, as_json=as_json)


def _service(region: str, regions_file: Path, subscription: str) -> Rest:
    found, subscription = azure_place.find(region, regions_file, subscription)
    azure, outputs = azure_place.deployed(found, subscription)
    host = outputs[AzureOutput.DPS_HOST_NAME]
    if not host:
        raise UsageError(f"{region} has no provisioning service.", hint="Set dps = true in regions.toml and deploy.")
    return azure_enrollments.service(azure, host)


def _facts(group: EnrollmentGroup) -> dict[str, object]:
    return {"name": group.name, "by": group.by, "status": "enabled" if group.enabled else "disabled"}
