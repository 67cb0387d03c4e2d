"""
`firstlight ca retire`: take a CA out of use, and see to the devices it signed.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from firstlight.cli import device_rows, fleet_place
from firstlight.cli.ca_files import load_certificate
from firstlight.errors import UsageError
from firstlight.lifecycle.aws_ca import CaRetirement
from firstlight.lifecycle.azure_ca import AzureCaRetirement
from firstlight.lifecycle.fleet import AwsFleet
from firstlight.lifecycle.rows import STAYS, Became, Row

_ID = re.compile(r"[0-9a-f]{64}")
_NOT_LISTED = (
    "AWS IoT lists only what it registered below this CA itself; what a push registered is not in that list. "
    "--search finds it by its issuer, and takes a tenth of a second for every other certificate of the region."
)


@click.command("retire")
@click.argument("ca")
@click.option("--search", is_flag=True, help="AWS: also find certificates registered without the CA, as by a push.")
@click.option("--disable-devices", is_flag=True, help="Switch off the devices that are found.")
@click.option("--delete", is_flag=True, help="Delete the CA in the end; without, it stays, out of use.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@fleet_place.options
def command(
    *,
    ca: str,
    search: bool,
    disable_devices: bool,
    delete: bool,
    yes: bool,
    as_json: bool,
    cloud: str,
    **where: Any,
) -> None:
    """
    Take a CA out of use, and list the devices below it that the cloud knows of.

    CA is its certificate; for AWS also its id of 64 hex digits.  On AWS auto-registration goes off and the CA is
    INACTIVE; on Azure its enrollment groups are disabled and, with --delete, deleted with its certificate in the hub
    and the provisioning service.  Its devices stay online, unless --disable-devices.  A CA that regions.toml names
    comes back with the next deployment: remove it there.
    """
    retire = _on_azure if cloud == fleet_place.AZURE else _on_aws
    rows = retire(ca, search=search, disabling=disable_devices, delete=delete, really=yes, **where)
    well = device_rows.print_rows(rows, as_json=as_json)
    if cloud == fleet_place.AWS and not search:
        _tell(_NOT_LISTED)
    if not yes:
        _tell("nothing was changed; --yes does it.")
    sys.exit(0 if well else 1)


def _on_aws(
    ca: str,
    *,
    search: bool,
    disabling: bool,
    delete: bool,
    really: bool,
    region: str,
    regions_file: Path,
    quotas: tuple[str, ...],
    **_: Any,
) -> Iterator[Row]:
    ca_id = ca.lower() if _ID.fullmatch(ca.lower()) else load_certificate(Path(ca)).fingerprint
    iot = fleet_place.paced_iot(region, regions_file, quotas)
    retirement = CaRetirement(iot, AwsFleet.at_once, really=really, searching=search, disabling=disabling)
    was = retirement.stop(ca_id)
    off = "on" if was.auto_registration else "off"
    _tell(f"{was.subject} was {was.status}, auto-registration {off}" + ("; now INACTIVE and off." if really else "."))
    well = True
    for row in retirement.devices(ca_id, tell=_tell):
        well = well and row.ok
        yield row
    if delete and not well:
        yield Row(f"CA {was.subject}", Became.UNCHANGED, STAYS)
    elif delete:
        if really:
            retirement.delete(ca_id)
        yield Row(f"CA {was.subject}", Became.DELETED if really else Became.FORESEEN)


def _on_azure(
    ca: str,
    *,
    search: bool,
    disabling: bool,
    delete: bool,
    really: bool,
    region: str,
    regions_file: Path,
    subscription: str,
    **_: Any,
) -> Iterator[Row]:
    if search:
        raise UsageError(
            "A hub does not know who signed a certificate, so there is nothing to search.",
            hint="What DPS registered below the CA is listed anyway.",
        )
    certificate = load_certificate(Path(ca))
    place = fleet_place.open_azure(region, regions_file, subscription)
    yield from AzureCaRetirement(place, really=really, disabling=disabling).run(certificate, delete=delete)


def _tell(line: str) -> None:
    click.echo(f"firstlight: {line}", err=True)
