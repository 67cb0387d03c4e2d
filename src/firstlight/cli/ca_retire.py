"""
`firstlight ca retire`: take a CA out of use, and see to the devices it signed.
"""

import re
import sys
from pathlib import Path
from typing import Any

import click

from firstlight.cli import device_rows, fleet_place
from firstlight.cli.ca_files import load_certificate
from firstlight.lifecycle.aws_ca import CaRetirement
from firstlight.lifecycle.fleet import AwsFleet

_ID = re.compile(r"[0-9a-f]{64}")
_NOT_LISTED = (
    "AWS IoT lists only what it registered below this CA itself; what a push registered is not in that list. "
    "--search finds it by its issuer, and takes a tenth of a second for every other certificate of the region."
)


@click.command("retire")
@click.argument("ca")
@click.option(
    "--search", is_flag=True, help="Also find certificates that were registered without the CA, as by a push."
)
@click.option("--disable-devices", is_flag=True, help="Make the certificates that are found INACTIVE.")
@click.option("--delete", is_flag=True, help="Delete the CA in the end; without, it stays, INACTIVE.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@fleet_place.options
def command(
    *, ca: str, search: bool, disable_devices: bool, delete: bool, yes: bool, as_json: bool, **where: Any
) -> None:
    """
    Take a CA out of use: auto-registration off, INACTIVE, and list the certificates it signed.

    CA is its certificate, or its id of 64 hex digits.  Nobody new is provisioned below it; its devices stay online,
    unless --disable-devices.  A CA that regions.toml names comes back with the next deployment: remove it there.
    """
    ca_id = ca.lower() if _ID.fullmatch(ca.lower()) else load_certificate(Path(ca)).fingerprint
    fleet = fleet_place.open_fleet(**where)
    retirement = CaRetirement(fleet.iot, AwsFleet.at_once, really=yes, searching=search, disabling=disable_devices)
    was = retirement.stop(ca_id)
    off = "on" if was.auto_registration else "off"
    _tell(f"{was.subject} was {was.status}, auto-registration {off}" + ("; now INACTIVE and off." if yes else "."))
    well = device_rows.print_rows(retirement.devices(ca_id, tell=_tell), as_json=as_json)
    if not search:
        _tell(_NOT_LISTED)
    if delete and yes:
        retirement.delete(ca_id)
        _tell("The CA is deleted.")
    if not yes:
        _tell("nothing was changed; --yes does it.")
    sys.exit(0 if well else 1)


def _tell(line: str) -> None:
    click.echo(f"firstlight: {line}", err=True)
