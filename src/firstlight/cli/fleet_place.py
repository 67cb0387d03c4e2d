"""
Which devices a command is about: a cloud, a region of it, and how many calls it may take.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from firstlight import boto, regions
from firstlight.cli import azure_place
from firstlight.errors import UsageError
from firstlight.lifecycle.azure_place import AzureRegionPlace
from firstlight.lifecycle.fleet import AwsFleet, Fleet
from firstlight.lifecycle.pace import Pace, read_quotas

AWS, AZURE = "aws", "azure"
_OPTIONS = (
    click.option("--cloud", type=click.Choice([AWS, AZURE]), default=AWS, show_default=True, help="Whose devices."),
    click.option("--region", default="", help="The cloud's region; AWS: default $AWS_REGION; Azure: the file's first."),
    click.option(
        "--regions-file",
        type=azure_place.FILE,
        default=Path("regions.toml"),
        envvar="FIRSTLIGHT_REGIONS_FILE",
        show_default=True,
        show_envvar=True,
        help="The file that names the regions; AWS: and their quotas.",
    ),
    click.option(
        "--subscription",
        envvar="AZURE_SUBSCRIPTION_ID",
        show_envvar=True,
        default="",
        help="Azure: subscription id; the region's own, if it has one, must be the same.",
    ),
    click.option(
        "--quota",
        "quotas",
        multiple=True,
        metavar="OPERATION=N",
        help="AWS: calls a second of an operation whose quota was raised; may be given again.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON; of many, one object a line."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give *command* the options that say where, as `**where`, and --json.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_fleet(*, cloud: str, region: str, regions_file: Path, subscription: str, quotas: tuple[str, ...]) -> Fleet:
    """
    Return the fleet that the options name.

    Raises:
        UsageError: there is no region, or something given does not fit the cloud.
        RegionsError: the regions file cannot be used, or has no such region.
        FirstlightError: the cloud cannot be asked.
    """
    if cloud == AZURE:
        return open_azure(region, regions_file, subscription).fleet
    return AwsFleet(paced_iot(region, regions_file, quotas))


def open_azure(region: str, regions_file: Path, subscription: str) -> AzureRegionPlace:
    """
    Return what was deployed to an Azure region.

    Raises:
        UsageError, RegionsError, FirstlightError: as `open_fleet`.
    """
    found, subscription = azure_place.find(region, regions_file, subscription)
    azure, outputs = azure_place.deployed(found, subscription)
    return AzureRegionPlace(azure, found, outputs)


def aws_region(given: str) -> str:
    """
    Return the AWS region *given* or, without one, the environment's.

    Raises:
        UsageError: there is none.
    """
    region = given or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise UsageError("There is no region.", hint="Give --region, or set AWS_REGION.")
    return region


def paced_iot(region: str, regions_file: Path, quotas: tuple[str, ...]) -> Any:
    """
    Return a client of AWS IoT for many threads, which keeps to the account's quotas: those that *regions_file*, if it
    is there, says were raised for the region, and over them *quotas*.

    Raises:
        UsageError: there is no region, or a quota is none.
        RegionsError: the regions file cannot be used.
    """
    name = aws_region(region)
    known = regions.load(regions_file).aws if regions_file.is_file() else ()
    raised = next((found.quotas for found in known if found.name == name), ())
    pace = Pace(read_quotas((*raised, *quotas)))
    return boto.client("iot", region=name, connections=AwsFleet.at_once, before=pace)
