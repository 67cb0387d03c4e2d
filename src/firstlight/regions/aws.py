"""
What regions.toml says of an AWS region.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

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
# what an item of the table that counts has room for, and a device may do in an hour
_CONNECTS = range(2, 1_001)
_QUOTA = re.compile(r"[A-Za-z]+=\d+(\.\d+)?", re.ASCII)
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


# What Lambda takes as the maximum concurrency of an SQS event source.
_LEAST_WORKERS, _MOST_WORKERS = 2, 1000


class FirstConnect(StrEnum):
    """
    What becomes of a device that connects for the first time: TEMPLATE provisions each of a registered CA (JITP),
    ALLOW_LIST those whose certificate was announced (JITR).
    """

    TEMPLATE = "template"
    ALLOW_LIST = "allow-list"


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
    # Batches of queued devices that are worked off at once.
    worker_concurrency: int = _LEAST_WORKERS
    # The account's quotas that were raised, each "Operation=calls a second"; published defaults otherwise.
    quotas: tuple[str, ...] = ()
    # Days; 0 keeps logs for ever.
    log_retention_days: int = 90
    # An SNS topic's ARN that hears the alarms; empty means they only show.
    alarm_topic_arn: str = ""
    # Access logs need an account-wide role for API Gateway; false when the account has one.
    api_gateway_account_role: bool = True

    # A bucket for manifests, whose devices are queued; who may have signed Microchip's, and which of their
    # columns become attributes (NAME, NAME=COLUMN or *).
    manifest_uploads: bool = False
    manifest_signers: tuple[Path, ...] = ()
    manifest_attributes: tuple[str, ...] = ()

    # Just-in-time provisioning.
    first_connect: FirstConnect = FirstConnect.TEMPLATE
    ca_certificates: tuple[Path, ...] = ()
    template_name: str = "FirstlightJitp"
    thing_type: str = ""
    thing_groups: tuple[str, ...] = ()
    billing_group: str = ""
    # Connects within an hour after which a device that is not in yet counts as stuck.
    stuck_after: int = 5

    def problems(self) -> Iterator[str]:
        """
        Say in a sentence each what cannot be deployed.
        """
        yield from _problems(self)

    @property
    def files(self) -> tuple[Path, ...]:
        """
        Every file the region names.
        """
        named = (*self.ca_certificates, *self.trusted_issuers, *self.manifest_signers)
        return (*named, *filter(None, [self.token_key_file]))


def _problems(region: AwsRegion) -> Iterator[str]:
    if not _AWS_REGION.fullmatch(region.name):
        yield f"{region.name!r} is not the name of an AWS region; write it as in eu-west-1."
        return
    if region.account and not _ACCOUNT.fullmatch(region.account):
        yield f"account {region.account!r} is not 12 digits."
    if not region.ingest and not region.jitp:
        yield "neither ingest nor jitp is on: there is nothing to deploy."
    if region.manifest_uploads and not region.ingest:
        yield "manifest_uploads needs ingest: its worker does what is uploaded."
    yield from _ingest_problems(region)
    yield from _jitp_problems(region)
    if region.log_retention_days not in _RETENTION:
        yield f"log_retention_days is {region.log_retention_days}; CloudWatch takes {', '.join(map(str, _RETENTION))}."
    arn = _TOPIC_ARN.fullmatch(region.alarm_topic_arn)
    if region.alarm_topic_arn and (arn is None or arn[1] != region.name):
        yield f"alarm_topic_arn {region.alarm_topic_arn!r} is not the ARN of an SNS topic in {region.name}."


def _ingest_problems(region: AwsRegion) -> Iterator[str]:
    if region.ingest and bool(region.token_key_url) == (region.token_key_file is not None):
        yield "the ingest stack needs exactly one of token_key_url and token_key_file."
    if region.token_key_url and not region.token_key_url.startswith("https://"):
        yield f"token_key_url {region.token_key_url!r} is not an https URL."
    if region.throttle_rate <= 0 or region.throttle_burst <= 0:
        yield "throttle_rate and throttle_burst must be positive."
    if not _LEAST_WORKERS <= region.worker_concurrency <= _MOST_WORKERS:
        yield f"worker_concurrency is {region.worker_concurrency}; Lambda takes {_LEAST_WORKERS} to {_MOST_WORKERS}."
    for quota in region.quotas:
        if not _QUOTA.fullmatch(quota):
            yield f"{quota!r} in quotas is not of the form RegisterCertificateWithoutCA=100."
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
    if region.stuck_after not in _CONNECTS:
        yield f"stuck_after is {region.stuck_after}; it may be 2 to 1000 connects within an hour."
    if "" in region.thing_groups or len(set(region.thing_groups)) < len(region.thing_groups):
        yield "thing_groups has an empty or repeated name."
    if len(region.thing_groups) > _MAX_GROUPS:
        yield f"thing_groups has {len(region.thing_groups)} names; a thing is in {_MAX_GROUPS} groups at most."
