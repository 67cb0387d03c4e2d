"""
Which devices a command is about: a cloud, a region of it, and how many calls it may take.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from firstlight import boto
from firstlight.cli import azure_place
from firstlight.errors import UsageError
from firstlight.lifecycle.fleet import AwsFleet
from firstlight.lifecycle.pace import Pace, read_quotas

AWS = "aws"
_OPTIONS = (
    click.option("--cloud", type=click.Choice([AWS]), default=AWS, show_default=True, help="Whose devices."),
    click.option(
        "--region",
        envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
        default="",
        help="AWS region [$AWS_REGION].",
    ),
    click.option(
        "--regions-file",
        type=azure_place.FILE,
        default=Path("regions.toml"),
        envvar="FIRSTLIGHT_REGIONS_FILE",
        show_default=True,
        show_envvar=True,
        help="The file that names the regions.",
    ),
    click.option(
        "--quota",
        "quotas",
        multiple=True,
        metavar="OPERATION=N",
        help="AWS: calls a second of an operation whose quota was raised; may be given again.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give *command* the options that say where, as `**where`, and --json.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_fleet(*, cloud: str, region: str, regions_file: Path, quotas: tuple[str, ...]) -> AwsFleet:
    """
    Return the fleet that the options name.

    Raises:
        UsageError: there is no region, or something given does not fit the cloud.
        FirstlightError: the cloud cannot be asked.
    """
    if not region:
        raise UsageError("There is no region.", hint="Give --region, or set AWS_REGION.")
    del cloud, regions_file
    return AwsFleet(paced_iot(region, quotas))


def paced_iot(region: str, quotas: tuple[str, ...]) -> Any:
    """
    Return a client of AWS IoT for many threads, which keeps to the account's quotas.
    """
    pace = Pace(read_quotas(quotas))
    return boto.client("iot", region=region, connections=AwsFleet.at_once, before=pace)
