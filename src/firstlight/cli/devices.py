"""
`firstlight devices`: list, show, switch off and on, and retire the devices of a region.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from firstlight.cli import device_rows, fleet_place
from firstlight.cli.ca_files import load_certificate
from firstlight.cli.device_selection import by_certificate, select
from firstlight.errors import UsageError
from firstlight.lifecycle.fleet import Fleet
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Row, Wanted, Which

_FILE = click.Path(path_type=Path)


def _devices(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--cert", "certificates", type=_FILE, multiple=True, help="A device's certificate; again for more."
        ),
        click.option("--file", "files", multiple=True, metavar="FILE", help="Device names, one a line; - is stdin."),
        click.argument("names", nargs=-1, metavar="[NAME]..."),
    ):
        command = option(command)
    return command


@click.group("devices")
def command() -> None:
    """
    List, show, disable, enable and retire devices.
    """


@command.command("list")
@click.option("--prefix", default="", metavar="TEXT", help="Only names that begin so.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only this state, ACTIVE for instance.")
@click.option("--issuer", type=_FILE, metavar="CA", help="Only devices whose certificate this CA signed.")
@click.option("--all", "everything", is_flag=True, help="Also those that firstlight did not make.")
@fleet_place.options
def list_(
    *,
    prefix: str,
    states: tuple[str, ...],
    issuer: Path | None,
    everything: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """
    List the devices of a region, as they are found.

    On AWS these are things with the attribute certificateId; their state is that of this certificate. On Azure they
    are the hub's devices with a certificate.
    """
    fleet = fleet_place.open_fleet(**where)
    wanted = Wanted(
        prefix=prefix,
        states=_states(fleet, states),
        issuer="" if issuer is None else load_certificate(issuer).pem,
        everything=everything,
    )
    device_rows.print_listed(fleet.list(wanted), as_json=as_json)


@command.command()
@click.argument("name", default="")
@click.option("--cert", "certificate", type=_FILE, help="Find the device by its certificate instead.")
@fleet_place.options
def show(*, name: str, certificate: Path | None, as_json: bool, **where: Any) -> None:
    """
    Show everything the cloud has about the device NAME.
    """
    if bool(name) == (certificate is not None):
        raise UsageError("Give a name, or --cert.")
    which = Which(name) if certificate is None else by_certificate(certificate)
    device_rows.print_facts(fleet_place.open_fleet(**where).show(which), as_json=as_json)


@command.command()
@_devices
@fleet_place.options
def disable(
    *, names: tuple[str, ...], files: tuple[str, ...], certificates: tuple[Path, ...], as_json: bool, **where: Any
) -> None:
    """
    Switch devices off: certificate INACTIVE on AWS, status disabled on Azure.

    They are disconnected within minutes, and neither a push nor a first connect switches them on again.
    """
    selected = select(names, files, certificates)
    fleet = fleet_place.open_fleet(**where)
    _report(_for_each(fleet, selected, fleet.disable, "disabling"), as_json=as_json)


@command.command()
@_devices
@fleet_place.options
def enable(
    *,
    names: tuple[str, ...],
    files: tuple[str, ...],
    certificates: tuple[Path, ...],
    as_json: bool,
    **where: Any,
) -> None:
    """
    Switch devices on again.

    Not those whose certificate is REVOKED: AWS IoT never changes that.
    """
    selected = select(names, files, certificates)
    fleet = fleet_place.open_fleet(**where)
    _report(_for_each(fleet, selected, fleet.enable, "enabling"), as_json=as_json)


@command.command()
@click.option("--forget", is_flag=True, help="Leave nothing that keeps the device out: it may come back.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@_devices
@fleet_place.options
def retire(
    *,
    names: tuple[str, ...],
    files: tuple[str, ...],
    certificates: tuple[Path, ...],
    forget: bool,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """
    Take devices out of the cloud for good; whatever broke off is finished by doing it again.

    On AWS the thing, its policies and attachments go, and the certificate stays, REVOKED: deleted, as with --forget,
    the device would be provisioned anew at its next connect below a registered CA, or by a push.  REVOKED is for
    ever: to keep a device for later, disable it.  On Azure the
    identity and what DPS has of it go, and with a provisioning service a disabled enrollment stays for the same reason.
    """
    selected = select(names, files, certificates)
    fleet = fleet_place.open_fleet(**where)
    rows = _for_each(fleet, selected, partial(fleet.retire, forget=forget, really=yes), "retiring")
    _report(rows, as_json=as_json, foreseen=not yes)


def _states(fleet: Fleet, given: Sequence[str]) -> frozenset[str]:
    known = {state.lower(): state for state in fleet.states}
    for state in given:
        if state.lower() not in known:
            raise UsageError(f"{state!r} is no state of a device here.", hint=f"There are {', '.join(fleet.states)}.")
    return frozenset(known[state.lower()] for state in given)


def _for_each(fleet: Fleet, selected: Sequence[Which], work: Callable[[Which], Row], doing: str) -> Iterator[Row]:
    return device_rows.with_progress(each(selected, work, at_once=fleet.at_once), total=len(selected), doing=doing)


def _report(rows: Iterator[Row], *, as_json: bool, foreseen: bool = False) -> None:
    well = device_rows.print_rows(rows, as_json=as_json)
    if foreseen:
        click.echo("firstlight: nothing was changed; --yes does it.", err=True)
    sys.exit(0 if well else 1)
