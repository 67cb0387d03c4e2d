"""
What regions.toml says of an Azure region.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstlight.identity import Naming

_REGION = re.compile(r"[a-z]{4,30}[0-9]?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Generated names are the resource group's with a suffix of 13; storage accounts have 24 characters.
MAX_RESOURCE_GROUP = 11
_RESOURCE_GROUP = re.compile(rf"[a-z][a-z0-9-]{{0,{MAX_RESOURCE_GROUP - 2}}}[a-z0-9]")
_PREFIX = re.compile(r"[\w.:-]{0,64}", re.ASCII)
_SKUS = ("F1", "S1", "S2", "S3")
_MAX_UNITS = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_QUOTA = re.compile(r"IdentityRegistryOperations=[1-9]\d{0,6}")
_RETENTION = range(30, 731)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureRegion:
    """
    What is deployed to one Azure region.  Paths are absolute; an empty string means "not set".
    """

    name: str
    # A UUID pins the region to one subscription; empty takes AZURE_SUBSCRIPTION_ID's.
    subscription: str = ""
    # At most 11 characters, because the names of the resources are made from it.
    resource_group: str = "firstlight"
    ingest: bool = True
    dps: bool = True

    # How pushed devices are named and what the answer tells them (see docs/settings.md).
    naming: Naming = Naming.SERIAL
    thing_prefix: str = ""
    topic: str = "iqs"

    # Who may push: exactly one of the two when `ingest`.
    token_key_url: str = ""
    token_key_file: Path | None = None
    # The token's `aud`; empty means the subscription id, which is what the Cloud ID console sends.
    audience: str = ""
    # CA certificates whose devices may be pushed; empty means any.
    trusted_issuers: tuple[Path, ...] = ()

    # The hub's size; F1 is the free one, of which a subscription has one.
    hub_sku: str = "S1"
    hub_units: int = 1
    # What the hub is known to take, a minute: "IdentityRegistryOperations=500"; empty finds out.
    quotas: tuple[str, ...] = ()
    # A container for manifests, whose devices are queued; who may have signed Microchip's, and which of their
    # columns become tags (NAME, NAME=COLUMN or *).
    manifest_uploads: bool = False
    manifest_signers: tuple[Path, ...] = ()
    manifest_attributes: tuple[str, ...] = ()
    # CA certificates whose devices DPS registers, and the hub lets in by their common name.
    ca_certificates: tuple[Path, ...] = ()

    # Days, 30 to 730.
    log_retention_days: int = 90
    # Who hears the alerts; empty means they only show.
    alert_email: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """
        Every file the region names.
        """
        named = (*self.ca_certificates, *self.trusted_issuers, *self.manifest_signers)
        return (*named, *filter(None, [self.token_key_file]))

    def problems(self) -> Iterator[str]:
        """
        Say in a sentence each what cannot be deployed.
        """
        if not _REGION.fullmatch(self.name):
            yield f"{self.name!r} is not the name of an Azure region; write it as in westeurope."
        if self.subscription and not _UUID.fullmatch(self.subscription):
            yield f"subscription {self.subscription!r} is not a UUID in lower case."
        if not _RESOURCE_GROUP.fullmatch(self.resource_group):
            yield (
                f"resource_group {self.resource_group!r} is not 2 to {MAX_RESOURCE_GROUP} lower-case letters, digits "
                "and hyphens; the names of the resources are made from it."
            )
        if not self.ingest and not self.dps:
            yield "neither ingest nor dps is on: there is nothing to deploy but a hub."
        if self.manifest_uploads and not self.ingest:
            yield "manifest_uploads needs ingest: its function does what is uploaded."
        if self.ingest and bool(self.token_key_url) == (self.token_key_file is not None):
            yield "the ingest function needs exactly one of token_key_url and token_key_file."
        if self.token_key_url and not self.token_key_url.startswith("https://"):
            yield f"token_key_url {self.token_key_url!r} is not an https URL."
        if not _PREFIX.fullmatch(self.thing_prefix):
            yield f"thing_prefix {self.thing_prefix!r} holds more than a device id may."
        yield from self._hub_problems()

    def _hub_problems(self) -> Iterator[str]:
        if self.hub_sku not in _SKUS:
            yield f"hub_sku {self.hub_sku!r} is not one of {', '.join(_SKUS)}; basic hubs have no twins."
        if not 1 <= self.hub_units <= _MAX_UNITS or (self.hub_sku == "F1" and self.hub_units != 1):
            yield f"hub_units is {self.hub_units}; an F1 hub has one, others 1 to {_MAX_UNITS}."
        if len(self.quotas) > 1 or not all(map(_QUOTA.fullmatch, self.quotas)):
            yield f'quotas is {list(self.quotas)}; of a hub it is as in ["IdentityRegistryOperations=500"], a minute.'
        if self.log_retention_days not in _RETENTION:
            yield f"log_retention_days is {self.log_retention_days}; Log Analytics keeps 30 to 730."
        if self.alert_email and not _EMAIL.fullmatch(self.alert_email):
            yield f"alert_email {self.alert_email!r} is not an e-mail address."
