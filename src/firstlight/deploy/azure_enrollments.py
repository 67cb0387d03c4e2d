"""
Enrollment groups of a provisioning service, over its service API: the Resource Manager does not know them.

https://learn.microsoft.com/rest/api/iot-dps/service/enrollment-group
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from firstlight import azure_clients
from firstlight.azure_clients import NOT_FOUND, Azure, Rest
from firstlight.certificates import Certificate
from firstlight.errors import DeploymentError, UsageError

_VERSION = "api-version=2021-10-01"
_NAME = re.compile(r"[a-z0-9._:-]{0,127}[a-z0-9-]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EnrollmentGroup:
    """
    A group as the service holds it; `by` tells whose certificates its devices show.

    `thumbprint` is of a certificate of its own: SHA-256, 64 lower-case hex digits.
    """

    name: str
    by: str
    enabled: bool
    etag: str = ""
    thumbprint: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """
    What came of creating a group: `new` or known before, and then each difference from what was asked.
    """

    group: EnrollmentGroup
    new: bool
    differences: tuple[str, ...] = ()


def service(azure: Azure, host: str) -> Rest:
    """
    Return a client of the provisioning service at *host* (the output `dpsHostName`).
    """
    return azure.rest(f"https://{host}", azure_clients.DPS_SCOPE)


def create(rest: Rest, name: str, *, ca: str = "", intermediate: Certificate | None = None) -> Created:
    """
    Create the group *name* for devices below the uploaded CA certificate *ca*, or below *intermediate* itself.

    A group that is there already is left as it is.

    Raises:
        UsageError: *name* cannot be that of a group.
        DeploymentError: the service refused.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be an enrollment group: 1 to 128 letters, digits and - . _ :, the last no . _ or :."
        )
    x509: dict[str, Any] = {"caReferences": {"primary": ca}}
    if intermediate is not None:
        x509 = {"signingCertificates": {"primary": {"certificate": intermediate.pem}}}
    wanted = EnrollmentGroup(name, f"CA certificate {ca}" if ca else "a certificate of its own", enabled=True)
    with azure_clients.refusals(f"Creating the enrollment group {name}"):
        found = _get(rest, name)
        if found is not None:
            known = _read(found)
            return Created(known, new=False, differences=_differences(known, wanted))
        body = {
            "enrollmentGroupId": name,
            "attestation": {"type": "x509", "x509": x509},
            "provisioningStatus": "enabled",
            "allocationPolicy": "hashed",
            # a device that comes back keeps its twin, and follows its hub
            "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
        }
        return Created(_read(rest.send("PUT", _path(name), json_body=body).body), new=True)


def disable(rest: Rest, name: str) -> bool:
    """
    Disable the group *name*: nobody is registered by it any more, whoever was stays.  Return whether it was enabled.

    Raises:
        DeploymentError: there is no such group, or the service refused.
    """
    with azure_clients.refusals(f"Disabling the enrollment group {name}"):
        found = _get(rest, name)
        if found is None:
            raise DeploymentError(f"There is no enrollment group {name}.")
        if not _read(found).enabled:
            return False
        headers = {"If-Match": str(found.get("etag", "*"))}
        rest.send("PUT", _path(name), json_body={**found, "provisioningStatus": "disabled"}, headers=headers)
        return True


def list_all(rest: Rest) -> list[EnrollmentGroup]:
    """
    Return every group of the service.

    Raises:
        DeploymentError: the service refused.
    """
    groups: list[EnrollmentGroup] = []
    more = ""
    with azure_clients.refusals("Listing the enrollment groups"):
        while True:
            answer = rest.send(
                "POST",
                f"/enrollmentGroups/query?{_VERSION}",
                json_body={"query": "SELECT * FROM enrollmentGroups"},
                headers={"x-ms-continuation": more} if more else {},
            )
            groups += [_read(group) for group in answer.body or ()]
            more = answer.headers.get("x-ms-continuation", "")
            if not more:
                return groups


def _get(rest: Rest, name: str) -> dict[str, Any] | None:
    answer = rest.send("GET", _path(name), allowed=(NOT_FOUND,))
    return None if answer.status == NOT_FOUND else answer.body


def _path(name: str) -> str:
    return f"/enrollmentGroups/{quote(name, safe='')}?{_VERSION}"


def _read(body: Mapping[str, Any]) -> EnrollmentGroup:
    x509 = (body.get("attestation") or {}).get("x509") or {}
    reference = (x509.get("caReferences") or {}).get("primary")
    info = ((x509.get("signingCertificates") or {}).get("primary") or {}).get("info") or {}
    return EnrollmentGroup(
        name=str(body.get("enrollmentGroupId", "")),
        by=f"CA certificate {reference}" if reference else "a certificate of its own",
        enabled=body.get("provisioningStatus") != "disabled",
        etag=str(body.get("etag", "")),
        thumbprint=str(info.get("sha256Thumbprint") or "").lower(),
    )


def _differences(known: EnrollmentGroup, wanted: EnrollmentGroup) -> tuple[str, ...]:
    found = []
    if known.by != wanted.by:
        found.append(f"The group {known.name} is for devices below {known.by}, not {wanted.by}; take another name.")
    if not known.enabled:
        found.append(f"The group {known.name} is disabled.")
    return tuple(found)
