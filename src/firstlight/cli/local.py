"""
`firstlight local`: the clouds on this laptop.
"""

import os
import shlex
from pathlib import Path

import click

from firstlight.cli import output
from firstlight.local import background, keeper, lease
from firstlight.local.addresses import Addresses, unproxied
from firstlight.local.keeper import Options
from firstlight.local.laptop import Cloud

_FOLDER = Path(".firstlight")

_folder = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=_FOLDER,
    show_default=True,
    help="State folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("local")
def command() -> None:
    """
    Run the clouds on this laptop.

    No account is needed and none is touched.  Only 127.0.0.1 listens.
    """


@command.command()
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option(
    "--regions",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("regions.toml"),
    show_default=True,
    help="What is deployed.",
)
@click.option("--region", default="", help="The region to run.  [default: the file's first of each cloud]")
@click.option("--only", type=click.Choice([cloud.value for cloud in Cloud]), help="Run this cloud alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="AWS; 0 is any.")
@click.option("--mqtt-port", type=click.IntRange(0, 65535), default=8883, show_default=True, help="MQTT; 0 is any.")
@click.option("--azure-port", type=click.IntRange(0, 65535), default=4567, show_default=True, help="Azure; 0 is any.")
@click.option("--no-stacks", is_flag=True, help="Deploy nothing.")
@_json
@_folder
def up(
    *,
    detach: bool,
    regions: Path,
    region: str,
    only: str | None,
    port: int,
    mqtt_port: int,
    azure_port: int,
    no_stacks: bool,
    as_json: bool,
    state: Path,
) -> None:
    """
    Start the clouds and deploy a region to each.

    Runs until Ctrl-C, or in the background until `firstlight local down`.
    """
    options = Options(
        folder=state,
        regions=regions,
        region=region,
        only=only or "",
        port=port,
        mqtt_port=mqtt_port,
        azure_port=azure_port,
        stacks=not no_stacks,
    )

    def show(addresses: Addresses) -> None:
        _show(addresses, as_json=as_json)

    if detach:
        show(background.start(options, report=_report))
    else:
        keeper.keep(options, report=_report, up=show)


@command.command()
@_folder
def down(state: Path) -> None:
    """
    Stop the clouds.
    """
    stopped = background.stop(state)
    click.echo("Stopped." if stopped else "The laptop clouds are not running.", err=True)


@command.command()
@_json
@_folder
def status(as_json: bool, state: Path) -> None:
    """
    Say whether the clouds run, and where they answer; exit 1 if they do not.
    """
    found = lease.current(state)
    if found is None or len(found) == 1:
        says = "not running" if found is None else "starting"
        if as_json:
            output.print_json({"status": says})
        else:
            click.echo(f"The laptop clouds are {says}.")
        raise SystemExit(1)
    _show(Addresses.from_json(found), as_json=as_json)


@command.command()
@_json
@_folder
def env(as_json: bool, state: Path) -> None:
    """
    Print what points the clouds' tools here: eval "$(firstlight local env)".
    """
    environment = Addresses.from_json(lease.require_current(state)).environment | unproxied(os.environ)
    if as_json:
        output.print_json(environment)
    else:
        for name, value in environment.items():
            click.echo(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")


@command.command()
@_json
@_folder
def reset(as_json: bool, state: Path) -> None:
    """
    Forget every device and deploy anew.
    """
    _show(background.reset(state), as_json=as_json)


def _report(step: str) -> None:
    click.echo(f"{step} …", err=True)


def _show(addresses: Addresses, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"status": "running", **addresses.to_json()})
        return
    if addresses.endpoint_url:
        rows = [
            ("AWS", addresses.endpoint_url),
            ("region", addresses.region),
            ("account", addresses.account),
            ("ingest API", addresses.ingest_url or "not deployed"),
            ("devices", f"{addresses.mqtt_host}:{addresses.mqtt_port}"),
            ("their CA", addresses.ca_file or ""),
        ]
        output.print_table(("laptop", "where"), rows)
    if azure := addresses.azure:
        rows = [
            ("Azure", f"any of its hosts through the proxy {azure.proxy_url}"),
            ("region", azure.region),
            ("subscription", azure.subscription),
            ("hub", azure.hub or "not deployed"),
            ("DPS", f"{azure.dps}, id scope {azure.id_scope}" if azure.dps else "not deployed"),
            ("their CA", azure.ca_file),
        ]
        output.print_table(("laptop", "where"), rows)
    for stack, found in addresses.outputs.items():
        output.print_table(("output", "value"), found.items(), title=stack)
