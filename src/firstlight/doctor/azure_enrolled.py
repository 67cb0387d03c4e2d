"""
Read a device provisioning service: what is linked to it, who is enrolled in it, and where it sent the device before.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from firstlight.azure_clients import DPS_SCOPE, NOT_FOUND, Azure, Rest
from firstlight.doctor.azure_asking import ask
from firstlight.doctor.azure_case import Dps, Enrollment

_VERSION = "api-version=2021-10-01"
_ARM_VERSION = "api-version=2021-10-15"


def read_dps(azure: Azure, dps: Dps, *, group: str, registration_id: str) -> Dps:
    """
    Return *dps* with its facts; *registration_id* is the device's, empty if it can have none.
    """
    rest = azure.rest(f"https://{dps.host}", DPS_SCOPE)
    resource = (
        f"/subscriptions/{azure.subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Devices/provisioningServices/{dps.name}"
    )
    one = quote(registration_id.lower(), safe="")
    read = replace(
        dps,
        hubs=ask(f"the hubs linked to {dps.name}", lambda: _linked(azure.rest(), resource)),
        groups=ask(f"the enrollment groups of {dps.name}", lambda: _groups(rest)),
    )
    if not registration_id:
        return read
    return replace(
        read,
        enrollment=ask(f"the individual enrollment of {registration_id}", lambda: _enrollment(rest, one)),
        assigned=ask(f"the registration of {registration_id}", lambda: _assigned(rest, one)),
    )


def _linked(rest: Rest, resource: str) -> tuple[str, ...]:
    properties = rest.send("GET", f"{resource}?{_ARM_VERSION}").body.get("properties") or {}
    return tuple(_host(link).lower() for link in properties.get("iotHubs") or ())


def _host(link: Mapping[str, Any]) -> str:
    # linked by key a hub shows its host name as `name`, linked by identity as `hostName`
    secret = str(link.get("connectionString") or "")
    return str(link.get("hostName") or link.get("name") or secret.partition("HostName=")[2].partition(";")[0])


def _groups(rest: Rest) -> tuple[Enrollment, ...]:
    found: list[Enrollment] = []
    more = ""
    while True:
        answer = rest.send(
            "POST",
            f"/enrollmentGroups/query?{_VERSION}",
            json_body={"query": "SELECT * FROM enrollmentGroups"},
            headers={"x-ms-continuation": more} if more else {},
        )
        found += [_read(body, "enrollmentGroupId", "signingCertificates") for body in answer.body or ()]
        more = answer.headers.get("x-ms-continuation", "")
        if not more:
            return tuple(found)


def _enrollment(rest: Rest, registration_id: str) -> Enrollment | None:
    answer = rest.send("GET", f"/enrollments/{registration_id}?{_VERSION}", allowed=(NOT_FOUND,))
    return None if answer.status == NOT_FOUND else _read(answer.body, "registrationId", "clientCertificates")


def _assigned(rest: Rest, registration_id: str) -> str:
    answer = rest.send("GET", f"/registrations/{registration_id}?{_VERSION}", allowed=(NOT_FOUND,))
    return "" if answer.status == NOT_FOUND else str(answer.body.get("assignedHub") or "")


def _read(body: Mapping[str, Any], key: str, kind: str) -> Enrollment:
    x509 = (body.get("attestation") or {}).get("x509") or {}
    info = ((x509.get(kind) or {}).get("primary") or {}).get("info") or {}
    return Enrollment(
        name=str(body.get(key, "")),
        enabled=body.get("provisioningStatus") != "disabled",
        ca_name=str((x509.get("caReferences") or {}).get("primary") or ""),
        thumbprint=str(info.get("sha256Thumbprint") or "").lower(),
        subject=str(info.get("subjectName") or ""),
        issuer=str(info.get("issuerName") or ""),
        hub=str(body.get("iotHubHostName") or "").lower(),
    )
