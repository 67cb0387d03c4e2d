"""
Where `firstlight import` goes, by its options and regions.toml.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from firstlight import regions
from firstlight.cli import api_access
from firstlight.errors import UsageError
from firstlight.identity import Naming
from firstlight.importing import destination
from firstlight.importing.destination import Direct, Place
from firstlight.importing.landing import Landing
from firstlight.importing.push_landing import PushLanding
from firstlight.ingest.clouds import Cloud
from firstlight.push import Transport, interop_url
from firstlight.regions import AwsRegion, AzureRegion
from firstlight.registries.aws_extras import Extras
from firstlight.settings import Settings

_FILE = click.Path(path_type=Path)
_REGIONS_FILE = Path("regions.toml")
_OPTIONS = (
    click.option("--to", "place", default="", metavar="PLACE", help="aws:REGION, azure:REGION, URL, or memory."),
    click.option(
        "--naming", type=click.Choice([n.value for n in Naming]), help="What names devices; default: the region's."
    ),
    click.option("--thing-prefix", metavar="TEXT", help="Put before the name; - for nothing.  Default: the region's."),
    click.option("--policy", default="", metavar="NAME", help="AWS: the IoT policy of each device."),
    click.option("--thing-type", default="", metavar="NAME", help="AWS: the type of each thing."),
    click.option(
        "--thing-group", "thing_groups", multiple=True, metavar="NAME", help="AWS: a group it joins; again for more."
    ),
    click.option("--billing-group", default="", metavar="NAME", help="AWS: the billing group of each thing."),
    click.option(
        "--quota",
        "quotas",
        multiple=True,
        metavar="OPERATION=N",
        help="AWS: calls a second of an operation whose quota was raised; again for more.  Azure: "
        "IdentityRegistryOperations, a minute.",
    ),
    click.option("--hub", default="", metavar="HOST", help="Azure: the hub; default: the one that was deployed."),
    click.option(
        "--subscription", envvar="AZURE_SUBSCRIPTION_ID", show_envvar=True, default="", help="Azure: whose hub it is."
    ),
    click.option(
        "--regions-file",
        type=_FILE,
        default=_REGIONS_FILE,
        envvar="FIRSTLIGHT_REGIONS_FILE",
        show_default=True,
        show_envvar=True,
        help="The file that names the regions.",
    ),
    click.option("--token-key", type=_FILE, help="URL: private key (PEM) that signs the token."),
    click.option("--audience", default="", help="URL: the token's aud."),
    click.option("--basic", "credentials", metavar="USER:PASSWORD_FILE", help="URL: HTTP Basic instead."),
    click.option("--trust", type=_FILE, help="URL: CA certificate (PEM) of the server."),
    click.option("--insecure", is_flag=True, help="URL: credentials over plain http to another machine."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give *command* the options that say where, as `**where`.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where it goes: its name in the report, a sentence for people, and how it is opened.
    """

    to: str
    words: str
    opened: Callable[[], AbstractAsyncContextManager[Landing]]
    attributes: bool = True


def target(place: str, **how: Any) -> Target:
    """
    Return where *place* and the options lead.

    Raises:
        FirstlightError: they lead nowhere, or the cloud does not say where.
    """
    if not place:
        raise UsageError("Where to?", hint="Give --to aws:REGION, azure:REGION, the URL of an ingest API, or memory.")
    found = Place.parse(place)
    if found.cloud is None:
        return _api(found.name, how)
    direct = {Cloud.AWS: _aws, Cloud.AZURE: _azure, Cloud.MEMORY: _memory}[found.cloud](found.name, how)
    rule = direct.settings.rule
    named = f"named by {rule.naming}" + (f" with the prefix {rule.prefix}" if rule.prefix else "")
    return Target(direct.to, f"{direct.to}, {named}", lambda: direct.opened(now=_now))


def _memory(name: str, how: dict[str, Any]) -> Direct:
    del name
    return Direct(cloud=Cloud.MEMORY, to="memory", settings=_settings(AwsRegion(name="memory"), how))


def _aws(name: str, how: dict[str, Any]) -> Direct:
    region = _region(how, lambda found: found.aws, name) or AwsRegion(name=name)
    extras = Extras(thing_type=how["thing_type"], thing_groups=how["thing_groups"], billing_group=how["billing_group"])
    to = f"aws:{name}:{destination.aws_account(region)}"
    return Direct(
        cloud=Cloud.AWS,
        to=to,
        settings=_settings(
            region,
            how,
            device_endpoint=region.device_endpoint,
            quotas=",".join(how["quotas"] or region.quotas),
        ),
        region=name,
        extras=extras,
        trusted=destination.trusted(region),
    )


def _azure(name: str, how: dict[str, Any]) -> Direct:
    region = _region(how, lambda found: found.azure, name) or AzureRegion(name=name)
    hub = how["hub"] or _deployed_hub(name, how)
    settings = _settings(region, how, hub=hub, quotas=",".join(how["quotas"] or region.quotas))
    return Direct(cloud=Cloud.AZURE, to=f"azure:{name}:{hub}", settings=settings, trusted=destination.trusted(region))


def _deployed_hub(name: str, how: dict[str, Any]) -> str:
    # deferred: the management SDKs take their time to load, and only this asks them
    from firstlight.cli import azure_place  # noqa: PLC0415
    from firstlight.outputs import AzureOutput  # noqa: PLC0415

    region, subscription = azure_place.find(name, how["regions_file"], how["subscription"])
    return azure_place.deployed(region, subscription)[1][AzureOutput.HUB_HOST_NAME]


def _region(how: dict[str, Any], cloud: Callable[[regions.Regions], tuple[Any, ...]], name: str) -> Any:
    """
    Return the region called *name*, None where the operator has no regions file, or not this region in it.
    """
    path: Path = how["regions_file"]
    if path == _REGIONS_FILE and not path.exists():
        return None
    return next((region for region in cloud(regions.load(path)) if region.name == name), None)


def _settings(region: AwsRegion | AzureRegion, how: dict[str, Any], **more: Any) -> Settings:
    naming = Naming(how["naming"]) if how["naming"] else region.naming
    prefix = region.thing_prefix if how["thing_prefix"] is None else how["thing_prefix"]
    known = {"policy_name": how["policy"]} if how["policy"] else {}
    return Settings(naming=naming, thing_prefix=prefix, **{**known, **more})


def _api(url: str, how: dict[str, Any]) -> Target:
    route = interop_url(url, insecure=how["insecure"])
    authorization = api_access.authorization(how["token_key"], how["audience"], how["credentials"])
    transport = Transport(
        tls=api_access.trusting(how["trust"]), proxy=api_access.proxy(route), insecure=how["insecure"]
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[Landing]:
        yield PushLanding(str(route), authorization, transport)

    return Target(str(route), f"{route}, which names them", opened, attributes=False)


def _now() -> datetime:
    return datetime.now(UTC)
