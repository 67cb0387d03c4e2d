"""
What a deployment to an Azure region will do, as data: decided from regions.toml alone, before Azure is asked.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.certificates import Certificate
from firstlight.deploy import public_key
from firstlight.deploy.bundle import TRUSTED_ISSUERS
from firstlight.deploy.manifest_bundle import SIGNERS
from firstlight.errors import RegionsError
from firstlight.regions import AzureRegion

# Where a function app finds the files of its bundle.
_ROOT = "/home/site/wwwroot"
_NO_NAME = re.compile(r"[^a-z0-9]+")
_SHOWN = 40
_FINGERPRINT = 8


@dataclass(frozen=True, slots=True)
class CaUpload:
    """
    A CA certificate for the hub, and for the provisioning service if there is one.

    `proven` is whether its key is at hand, to prove possession of it; otherwise the operator's word stands for it.
    """

    name: str
    certificate: Certificate
    proven: bool


@dataclass(frozen=True, slots=True)
class Group:
    """
    An enrollment group whose devices show a certificate of the CA that was uploaded as `ca`.
    """

    name: str
    ca: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Everything that will be done, in this order.  No key is in it.
    """

    region: str
    subscription: str
    resource_group: str
    deployment: str
    template: bytes
    parameters: Mapping[str, Any]
    publishes: bool
    uploads: tuple[CaUpload, ...]
    dps: bool
    groups: tuple[Group, ...]

    @property
    def template_hash(self) -> str:
        """
        SHA-256 of the template, in hex.
        """
        return hashlib.sha256(self.template).hexdigest()

    def steps(self) -> Iterator[tuple[str, str, str]]:
        """
        Yield what is done, to what, and how, for a table.
        """
        yield "have", f"resource group {self.resource_group}", f"in {self.region}"
        yield "deploy", self.deployment, f"template sha256:{self.template_hash[:12]}, incremental"
        for name, value in self.parameters.items():
            yield "", f"  {name}", _shown(value)
        if self.publishes:
            yield "publish", "function app", "this checkout's code"
        places = "hub and provisioning service" if self.dps else "hub"
        for upload in self.uploads:
            how = "proving possession of its key" if upload.proven else "on your word; its key is not at hand"
            yield "upload", f"CA certificate {upload.name}", f"to {places}, {how}"
        for group in self.groups:
            yield "enroll", f"group {group.name}", f"by CA certificate {group.ca}"

    def facts(self) -> dict[str, Any]:
        """
        Return it as JSON has it.
        """
        return {
            "region": self.region,
            "subscription": self.subscription,
            "resource_group": self.resource_group,
            "deployment": self.deployment,
            "template_sha256": self.template_hash,
            "parameters": dict(self.parameters),
            "publishes": self.publishes,
            "ca_uploads": [
                {
                    "name": u.name,
                    "subject": u.certificate.x509.subject.rfc4514_string(),
                    "fingerprint": u.certificate.fingerprint,
                    "to": ["hub", "dps"] if self.dps else ["hub"],
                    "proof_of_possession": u.proven,
                }
                for u in self.uploads
            ],
            "enrollment_groups": [{"name": g.name, "ca": g.ca} for g in self.groups],
        }


def plan_for(
    region: AzureRegion,
    *,
    subscription: str,
    template: bytes,
    cas: Sequence[Certificate],
    proven: frozenset[str] = frozenset(),
) -> Plan:
    """
    Return the plan of *region*; *cas* are its CA certificates, *proven* the fingerprints of those whose key is held.

    Raises:
        RegionsError: the token key file holds no public key, or a certificate is not a CA's.
    """
    for ca in cas:
        if not ca.is_ca:
            subject = ca.x509.subject.rfc4514_string()
            raise RegionsError(f"{region.name}: ca_certificates: {subject} is not a CA certificate.")
    uploads = tuple(CaUpload(name_of(ca), ca, ca.fingerprint in proven) for ca in cas)
    return Plan(
        region=region.name,
        subscription=subscription,
        resource_group=region.resource_group,
        deployment=deployment_name(region),
        template=template,
        parameters=_parameters(region, subscription),
        publishes=region.ingest,
        uploads=uploads,
        dps=region.dps,
        groups=tuple(Group(u.name, u.name) for u in uploads) if region.dps else (),
    )


def deployment_name(region: AzureRegion) -> str:
    """
    Return the deployment whose outputs tell the names of what is in *region*.
    """
    return f"firstlight-{region.name}"


def name_of(ca: Certificate) -> str:
    """
    Return what *ca* is called in Azure: its common name as far as Azure takes it, and the start of its fingerprint.

    So the same certificate has the same name every time, and another one another.
    """
    words = _NO_NAME.sub("-", (ca.common_name or "ca").lower()).strip("-")[:_SHOWN].strip("-")
    return f"{words or 'ca'}-{ca.fingerprint[:_FINGERPRINT]}"


def _parameters(region: AzureRegion, subscription: str) -> dict[str, Any]:
    return {
        "location": region.name,
        "prefix": region.resource_group,
        "ingest": region.ingest,
        "dps": region.dps,
        "hubSku": region.hub_sku,
        "hubUnits": region.hub_units,
        # The console sends the subscription id as the token's audience.
        "audience": region.audience or subscription,
        "tokenKeyUrl": region.token_key_url,
        "tokenKey": public_key.read(region.token_key_file),
        "naming": str(region.naming),
        "thingPrefix": region.thing_prefix,
        "topic": region.topic,
        "trustedIssuersFile": f"{_ROOT}/{TRUSTED_ISSUERS}" if region.trusted_issuers else "",
        "quotas": ",".join(region.quotas),
        "manifestUploads": region.manifest_uploads,
        "manifestSignersFile": f"{_ROOT}/{SIGNERS}" if region.manifest_signers else "",
        "manifestAttributes": ",".join(region.manifest_attributes),
        "logRetentionDays": region.log_retention_days,
        "alertEmail": region.alert_email,
    }


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN * 2 else text[: _SHOWN * 2 - 1] + "…"
