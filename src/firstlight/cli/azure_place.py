"""
Which Azure a command is about: a region of regions.toml, a subscription, and what was deployed there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from firstlight import regions
from firstlight.azure_clients import Azure
from firstlight.deploy import azure_apply, azure_plan
from firstlight.errors import UsageError
from firstlight.regions import AzureRegion

FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--region", required=True, help="Azure region, as regions.toml names it."),
    click.option(
        "--regions-file",
        type=FILE,
        default=Path("regions.toml"),
        envvar="FIRSTLIGHT_REGIONS_FILE",
        show_default=True,
        show_envvar=True,
        help="The file that names the regions.",
    ),
    click.option(
        "--subscription",
        envvar="AZURE_SUBSCRIPTION_ID",
        show_envvar=True,
        default="",
        help="Subscription id; the region's own, if it has one, must be the same.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give *command* the options that say where, and --json.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find(region: str, regions_file: Path, subscription: str) -> tuple[AzureRegion, str]:
    """
    Return the region and the id of its subscription.

    Raises:
        RegionsError: the file cannot be used, or has no such region.
        UsageError: there is no subscription, or another than the region's.
    """
    found = regions.find(regions.load(regions_file).azure, region)
    if found.subscription and subscription not in ("", found.subscription):
        raise UsageError(
            f"{region} belongs to the subscription {found.subscription}, not to {subscription}.",
            hint=f"{regions_file} pins it.",
        )
    chosen = found.subscription or subscription
    if not chosen:
        raise UsageError("There is no subscription.", hint="Give --subscription, or set AZURE_SUBSCRIPTION_ID.")
    return found, chosen


def deployed(region: AzureRegion, subscription: str) -> tuple[Azure, dict[str, str]]:
    """
    Return the subscription's clients, and the outputs of what was deployed to *region*.

    Raises:
        DeploymentError: nothing was, or Azure refused.
    """
    azure = Azure(subscription)
    return azure, azure_apply.outputs_of(azure, region.resource_group, azure_plan.deployment_name(region))
