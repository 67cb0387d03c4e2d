"""
Where an import goes: `aws:REGION`, `azure:REGION`, the URL of an ingest API, or `memory` for a rehearsal.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from firstlight import boto, certificates
from firstlight.errors import CertificateError, RegionsError, UsageError
from firstlight.importing.landing import ONE_BY_ONE, Landing, Pace, RegistryLanding
from firstlight.ingest.clouds import Cloud, open_registry
from firstlight.provision import Admission
from firstlight.regions import AwsRegion, AzureRegion
from firstlight.registries.aws_extras import NO_EXTRAS, Extras
from firstlight.settings import Settings
from firstlight.trusted_issuers import TrustedIssuers


@dataclass(frozen=True, slots=True)
class Place:
    """
    What `--to` names: a cloud and its region, or a URL.
    """

    cloud: Cloud | None
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Place":
        """
        Raises:
            UsageError: *text* names no destination.
        """
        scheme, _, rest = text.partition(":")
        if scheme in ("http", "https"):
            return cls(None, text)
        if text == Cloud.MEMORY:
            return cls(Cloud.MEMORY)
        if scheme in (Cloud.AWS, Cloud.AZURE) and rest:
            return cls(Cloud(scheme), rest)
        raise UsageError(
            f"{text!r} is no destination.", hint="Write aws:REGION, azure:REGION, the URL of an ingest API, or memory."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """
    A cloud's registry, called with the operator's own credentials.

    `to` names it in the report, down to the account or hub: what is done in one is not done in another.
    """

    cloud: Cloud
    to: str
    settings: Settings
    region: str = ""
    extras: Extras = NO_EXTRAS
    trusted: TrustedIssuers | None = None

    @asynccontextmanager
    async def opened(self, *, now: Callable[[], datetime]) -> AsyncIterator[Landing]:
        """
        Yield the landing, and close its connections afterwards.

        Raises:
            FirstlightError: the cloud cannot be called: no credentials, no such names.
        """
        opening = open_registry(self.cloud, self.settings, region=self.region, extras=self.extras, eager=True)
        async with opening as registry:
            admission = Admission(rule=self.settings.rule, trusted=self.trusted)
            # Azure takes a hundred devices a call
            pace = ONE_BY_ONE if self.cloud is Cloud.AWS else Pace()
            yield RegistryLanding(registry, admission, now=now, pace=pace)


def aws_account(region: AwsRegion) -> str:
    """
    Return the account that the credentials in use belong to.

    Raises:
        RegistryError: there are no credentials, or they are not known.
        UsageError: regions.toml pins the region to another account.
    """
    with boto.refusals("Asking whose credentials these are"):
        account = str(boto.client("sts", region=region.name).get_caller_identity()["Account"])
    if region.account not in ("", account):
        raise UsageError(f"{region.name} belongs to the account {region.account}, and the credentials to {account}.")
    return account


def trusted(region: AwsRegion | AzureRegion) -> TrustedIssuers | None:
    """
    Return the issuers whose devices *region* lets in, None for any.

    Raises:
        RegionsError: a file of theirs holds no CA certificate.
    """
    if not region.trusted_issuers:
        return None
    return TrustedIssuers(c for path in region.trusted_issuers for c in _certificates(path))


def _certificates(path: Path) -> list[certificates.Certificate]:
    try:
        return certificates.load_all(path.read_bytes())
    except (OSError, CertificateError) as e:
        raise RegionsError(f"{path} cannot be used: {e}") from e
