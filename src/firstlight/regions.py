"""
regions.toml to frozen regions: the only file that names one.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from firstlight.errors import RegionsError
from firstlight.identity import Naming

_AWS_REGION = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)(-gov|-iso[a-z]?)?-[a-z]+-\d")
_ACCOUNT = re.compile(r"\d{12}")
_STAGE = re.compile(r"\w{1,128}", re.ASCII)
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[\w-]{1,256}", re.ASCII)
_TEMPLATE_NAME = re.compile(r"[\w-]{1,36}", re.ASCII)
_THING_PREFIX = re.compile(r"[\w:-]{0,127}", re.ASCII)
# of types and groups, too
_THING_NAME = re.compile(r"[\w:-]{1,128}", re.ASCII)
_MAX_GROUPS = 10
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
# What CloudWatch Logs takes, in days; 0 is for ever.
_RETENTION = (
    0,
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRegion:
    """
    What is deployed to one AWS region.  Paths are absolute; an empty string means "not set".
    """

    name: str
    # 12 digits pin the stacks to one account; empty deploys to whichever the credentials name.
    account: str = ""
    ingest: bool = True
    jitp: bool = True

    # How pushed devices are named and what the answer tells them (see docs/settings.md).
    naming: Naming = Naming.SERIAL
    thing_prefix: str = ""
    topic: str = "iqs"
    device_endpoint: str = ""

    # Who may push: exactly one of the two when `ingest`.
    token_key_url: str = ""
    token_key_file: Path | None = None
    # The token's `aud`; empty means the account id, which is what the Cloud ID console sends.
    audience: str = ""
    # CA certificates whose devices may be pushed; empty means any.
    trusted_issuers: tuple[Path, ...] = ()

    # The gateway's stage and its throttle: pushes a second, and at once.
    stage: str = "v1"
    throttle_rate: int = 20
    throttle_burst: int = 40
    # Days; 0 keeps logs for ever.
    log_retention_days: int = 90
    # An SNS topic's ARN that hears the alarms; empty means they only show.
    alarm_topic_arn: str = ""
    # Access logs need an account-wide role for API Gateway; false when the account has one.
    api_gateway_account_role: bool = True

    # Just-in-time provisioning.
    ca_certificates: tuple[Path, ...] = ()
    template_name: str = "FirstlightJitp"
    thing_type: str = ""
    thing_groups: tuple[str, ...] = ()
    billing_group: str = ""


def load(path: Path) -> tuple[AwsRegion, ...]:
    """
    Return the regions of the file at *path*, in its order.

    A key in `[defaults]` holds for every region that does not set it itself.  Relative paths are
    relative to the file.

    Raises:
        RegionsError: the file cannot be read, or something in it is unknown, unusable or missing.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise RegionsError(f"{path} cannot be read: {e.strerror}.") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise RegionsError(f"{path} is not TOML: {e}.") from e
    _only(document, {"defaults", "aws"}, path, "")
    defaults = _table(document.get("defaults", {}), path, "defaults")
    aws = _table(document.get("aws", {}), path, "aws")
    if not aws:
        raise RegionsError(f"{path} names no region.", hint="Add a table such as [aws.eu-west-1].")
    return tuple(_region(name, {**defaults, **_table(table, path, f"aws.{name}")}, path) for name, table in aws.items())


def find(regions: tuple[AwsRegion, ...], name: str) -> AwsRegion:
    """
    Raises:
        RegionsError: no region is called *name*.
    """
    for region in regions:
        if region.name == name:
            return region
    raise RegionsError(f"No region is called {name!r}.", hint=f"There are: {', '.join(r.name for r in regions)}.")


def _region(name: str, table: Mapping[str, Any], path: Path) -> AwsRegion:
    where = f"aws.{name}"
    if not _AWS_REGION.fullmatch(name):
        raise RegionsError(f"{path}: {name!r} is not the name of an AWS region.", hint="Write it as in eu-west-1.")
    kinds = {f.name: f.type for f in fields(AwsRegion) if f.name != "name"}
    _only(table, set(kinds), path, where)
    values = {key: _value(kinds[key], value, path, f"{where}.{key}") for key, value in table.items()}
    region = AwsRegion(name=name, **values)
    for problem in _problems(region):
        raise RegionsError(f"{path}: {where}: {problem}")
    return region


def _problems(region: AwsRegion) -> Iterator[str]:
    if region.account and not _ACCOUNT.fullmatch(region.account):
        yield f"account {region.account!r} is not 12 digits."
    if not region.ingest and not region.jitp:
        yield "neither ingest nor jitp is on: there is nothing to deploy."
    yield from _ingest_problems(region)
    yield from _jitp_problems(region)
    if region.log_retention_days not in _RETENTION:
        yield f"log_retention_days is {region.log_retention_days}; CloudWatch takes {', '.join(map(str, _RETENTION))}."
    arn = _TOPIC_ARN.fullmatch(region.alarm_topic_arn)
    if region.alarm_topic_arn and (arn is None or arn[1] != region.name):
        yield f"alarm_topic_arn {region.alarm_topic_arn!r} is not the ARN of an SNS topic in {region.name}."
    for file in (*region.ca_certificates, *region.trusted_issuers, *filter(None, [region.token_key_file])):
        if not file.is_file():
            yield f"the file {file} does not exist."


def _ingest_problems(region: AwsRegion) -> Iterator[str]:
    if region.ingest and bool(region.token_key_url) == (region.token_key_file is not None):
        yield "the ingest stack needs exactly one of token_key_url and token_key_file."
    if region.token_key_url and not region.token_key_url.startswith("https://"):
        yield f"token_key_url {region.token_key_url!r} is not an https URL."
    if region.throttle_rate <= 0 or region.throttle_burst <= 0:
        yield "throttle_rate and throttle_burst must be positive."
    if not _STAGE.fullmatch(region.stage):
        yield f"stage {region.stage!r} is not 1 to 128 letters, digits and underscores."
    if not _THING_PREFIX.fullmatch(region.thing_prefix):
        yield f"thing_prefix {region.thing_prefix!r} holds more than letters, digits, colons, underscores and hyphens."
    if region.device_endpoint and not _HOST.fullmatch(region.device_endpoint):
        yield f"device_endpoint {region.device_endpoint!r} is not a host name."


def _jitp_problems(region: AwsRegion) -> Iterator[str]:
    if not _TEMPLATE_NAME.fullmatch(region.template_name):
        yield f"template_name {region.template_name!r} is not 1 to 36 letters, digits, underscores and hyphens."
    for name in filter(None, (region.thing_type, region.billing_group, *region.thing_groups)):
        if not _THING_NAME.fullmatch(name):
            yield f"{name!r} is no name of a thing type or group: letters, digits, colons, underscores and hyphens."
    if "" in region.thing_groups or len(set(region.thing_groups)) < len(region.thing_groups):
        yield "thing_groups has an empty or repeated name."
    if len(region.thing_groups) > _MAX_GROUPS:
        yield f"thing_groups has {len(region.thing_groups)} names; a thing is in {_MAX_GROUPS} groups at most."


def _only(table: Mapping[str, Any], known: set[str], path: Path, where: str) -> None:
    if unknown := sorted(set(table) - known):
        place = f"{where}: " if where else ""
        raise RegionsError(
            f"{path}: {place}unknown key {', '.join(map(repr, unknown))}.", hint=f"Known: {', '.join(sorted(known))}."
        )


def _table(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RegionsError(f"{path}: {where} is not a table.")
    return value


def _value(kind: Any, value: Any, path: Path, where: str) -> Any:
    if kind is Naming and value in set(Naming):
        return Naming(value)
    if kind in (str, bool, int) and type(value) is kind:
        return value
    if kind == Path | None and isinstance(value, str):
        return _beside(path, value)
    if get_origin(kind) is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(_beside(path, v) for v in value) if get_args(kind)[0] is Path else tuple(value)
    wanted = f"one of {', '.join(Naming)}" if kind is Naming else _WORDS.get(kind, "a list of strings")
    raise RegionsError(f"{path}: {where} is {value!r}; it must be {wanted}.")


_WORDS: dict[Any, str] = {str: "a string", bool: "true or false", int: "a whole number", Path | None: "a path"}


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).resolve()
