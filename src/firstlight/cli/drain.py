"""
`firstlight drain`: empty a region, so that its stacks can go and leave nothing behind.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import click

from firstlight import boto, regions
from firstlight.cli import device_rows, fleet_place
from firstlight.lifecycle.aws_drain import AwsDrain
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.azure_drain import AzureDrain
from firstlight.lifecycle.fleet import AwsFleet
from firstlight.lifecycle.pace import Pace, read_quotas


@click.command("drain")
@click.option("--keep-devices", is_flag=True, help="Refuse if there is any device; list them.")
@click.option(
    "--keep-revoked", is_flag=True, help="Leave what keeps the devices out: certificates REVOKED, enrollments disabled."
)
@click.option("--delete-uploads", is_flag=True, help="AWS: also delete the bucket of manifests with what is in it.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@fleet_place.options
def command(
    *,
    keep_devices: bool,
    keep_revoked: bool,
    delete_uploads: bool,
    yes: bool,
    as_json: bool,
    cloud: str,
    **where: Any,
) -> None:
    """
    Retire every device of a region and delete what its stacks leave behind, so that `cdk destroy` leaves nothing.

    Pushes and first connects are stopped first; the stacks then are fit for nothing but to be deleted.  May be done
    before they are, after, and again: whatever broke off is gone on with.  AWS wants up to five minutes between the
    last device and the end of its policy; so long it may take.

    On Azure the resource group takes everything with it; this empties a hub and a provisioning service that stay.
    """
    options = {"revoked": keep_revoked, "uploads": delete_uploads, **where}
    open_drain = _of_azure if cloud == fleet_place.AZURE else _of_aws
    if keep_devices and (kept := list(open_drain(really=False, **options).devices())):
        device_rows.print_rows(kept, as_json=as_json)
        _tell(f"{len(kept):,} devices are there, and nothing was done; without --keep-devices they are retired.")
        sys.exit(1)
    drain = open_drain(really=yes, **options)
    well = device_rows.print_rows(drain.run(), as_json=as_json)
    if not yes:
        _tell("nothing was changed; --yes does it.")
    sys.exit(0 if well else 1)


def _of_aws(
    *, region: str, regions_file: Path, quotas: tuple[str, ...], really: bool, revoked: bool, uploads: bool, **_: Any
) -> AwsDrain:
    found = regions.find(regions.load(regions_file).aws, fleet_place.aws_region(region))
    pace = Pace(read_quotas((*found.quotas, *quotas)))

    @cache
    def client(service: str) -> Any:
        if service == "iot":
            return boto.client(service, region=found.name, connections=AwsFleet.at_once, before=pace)
        return boto.client(service, region=found.name)

    place = AwsPlace(found, client)
    account = place.require_account()
    _tell(f"Draining {found.name} of the account {account}." if really else f"What {found.name} of {account} has:")
    return AwsDrain(place, AwsFleet.at_once, really=really, revoked=revoked, uploads=uploads, tell=_tell)


def _of_azure(
    *, region: str, regions_file: Path, subscription: str, really: bool, revoked: bool, **_: Any
) -> AzureDrain:
    place = fleet_place.open_azure(region, regions_file, subscription)
    name, group = place.region.name, place.region.resource_group
    _tell(f"Draining {name}, the group {group}." if really else f"What the group {group} in {name} has:")
    return AzureDrain(place, really=really, kept_out=revoked)


def _tell(line: str) -> None:
    click.echo(f"firstlight: {line}", err=True)
