"""
Enrollments and enrollment groups in the shapes of the DPS service API, and what it refuses in them.
"""

import base64
import binascii
import re
from typing import Any

from cryptography.hazmat.primitives import hashes

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Assignment, Dps, Enrollment, new_etag

# "X.509 certificate attestation", "IoT Hub Device Provisioning Service terminology"
_ID = re.compile(r"[A-Za-z0-9\-._:]{0,127}[A-Za-z0-9\-]")
GROUP, INDIVIDUAL = "enrollmentGroupId", "registrationId"


def require_id(given: Any) -> str:
    """
    Return it in lower case: registration ids have no case.

    Raises:
        Refusal: it is no registration id or group id.
    """
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise Refusal(400, 400004, f"Invalid id: {given!r}; letters, digits and - . _ :, no sign but - at the end.")
    return given.lower()


def read(dps: Dps, given: dict[str, Any], key: str) -> Enrollment:
    """
    Return what *given* says; *key* is `GROUP` or `INDIVIDUAL`.

    A certificate may be given as the service shows it, by its `info`: then it stays the one it is.

    Raises:
        Refusal: the laptop's DPS does not know such an attestation, or something it names is not there.
    """
    found = Enrollment(require_id(given.get(key)))
    attestation = given.get("attestation") or {}
    if (
        key == INDIVIDUAL
        and attestation.get("type") == "symmetricKey"
        and given.get("provisioningStatus") == "disabled"
    ):
        # What keeps a device out whose certificate nobody has; "Disallow specific devices in an enrollment group".
        found.enabled = False
        return found
    x509 = _x509(attestation)
    if key == INDIVIDUAL:
        found.certificate = _primary(x509.get("clientCertificates"), dps.enrollments.get(found.id))
        found.device_id = given.get("deviceId") or ""
    elif x509.get("caReferences"):
        found.ca_name = _one(x509["caReferences"])
        if found.ca_name not in dps.certificates:
            raise Refusal(400, 400004, f"The CA certificate {found.ca_name!r} is not found.")
    else:
        found.certificate = _primary(x509.get("signingCertificates"), dps.groups.get(found.id))
    found.enabled = given.get("provisioningStatus", "enabled") == "enabled"
    found.hub_host = given.get("iotHubHostName") or ""
    if found.hub_host and found.hub_host not in dps.hubs:
        raise Refusal(400, 400004, f"The IoT hub {found.hub_host} is not linked.")
    found.initial_twin = given.get("initialTwin") or {}
    return found


def shown(enrollment: Enrollment, key: str) -> dict[str, Any]:
    """
    Return it as the service shows it: of certificates what is in them, not themselves.
    """
    attestation: dict[str, Any] = {"type": "x509"}
    if enrollment.ca_name:
        attestation["x509"] = {"caReferences": {"primary": enrollment.ca_name}}
    elif enrollment.certificate is None:
        attestation = {"type": "symmetricKey"}
    else:
        kind = "clientCertificates" if key == INDIVIDUAL else "signingCertificates"
        attestation["x509"] = {kind: {"primary": {"info": _info(enrollment.certificate)}}}
    answer = {
        key: enrollment.id,
        "attestation": attestation,
        "provisioningStatus": "enabled" if enrollment.enabled else "disabled",
        "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
        "allocationPolicy": "hashed",
        "etag": f'"{enrollment.etag}"',
    }
    if key == INDIVIDUAL and enrollment.device_id:
        answer["deviceId"] = enrollment.device_id
    if enrollment.hub_host:
        answer["iotHubHostName"] = enrollment.hub_host
    if enrollment.initial_twin:
        answer["initialTwin"] = enrollment.initial_twin
    return answer


def put(known: dict[str, Enrollment], new: Enrollment, etag: str) -> Enrollment:
    """
    Put *new* among the *known*: created without an *etag*, else in place of the one that has it.

    Raises:
        Refusal: 409, it is there already; 404, it is not; 412, its etag is another.
    """
    before = known.get(new.id)
    if etag:
        require_match(before, new.id, etag)
    elif before:
        raise Refusal(409, 409201, f"Enrollment {new.id} already exists.")
    new.etag = new_etag()
    known[new.id] = new
    return new


def delete(known: dict[str, Enrollment], name: str, etag: str) -> None:
    """
    Raises:
        Refusal: 404, it is not there; 412, its etag is another than the one given.
    """
    require_match(known.get(name.lower()), name, etag or "*")
    del known[name.lower()]


def require_match(known: Enrollment | Assignment | None, name: str, etag: str) -> None:
    """
    Raises:
        Refusal: 404, nothing is *known* of *name*; 412, its etag is another.
    """
    if known is None:
        raise Refusal(404, 404201, f"{name} not found.")
    if etag.strip('"') not in {"*", known.etag}:
        raise Refusal(412, 412201, f"Precondition failed: the etag of {name} is another.")


def registration(assignment: Assignment) -> dict[str, Any]:
    """
    Return the state of a registration as the service shows it.
    """
    return {
        "registrationId": assignment.registration_id,
        "assignedHub": assignment.hub_host,
        "deviceId": assignment.device_id,
        "status": "assigned",
        "substatus": "initialAssignment",
        "etag": f'"{assignment.etag}"',
    }


def _x509(attestation: dict[str, Any]) -> dict[str, Any]:
    x509 = attestation.get("x509")
    if attestation.get("type") != "x509" or not isinstance(x509, dict):
        raise Refusal(400, 400004, "The laptop's DPS attests X.509 certificates only.")
    return x509


def _one(pair: Any) -> Any:
    if not isinstance(pair, dict) or not pair.get("primary"):
        raise Refusal(400, 400004, "The primary certificate is missing.")
    if pair.get("secondary"):
        raise Refusal(400, 400004, "The laptop's DPS takes one certificate an enrollment: the primary.")
    return pair["primary"]


def _primary(pair: Any, known: Enrollment | None) -> Certificate:
    given = _one(pair)
    before = known.certificate if known else None
    thumbprint = (given.get("info") or {}).get("sha256Thumbprint", "")
    if before and not given.get("certificate") and thumbprint.lower() == before.fingerprint:
        return before
    text = str(given.get("certificate") or "")
    try:
        return certificates.load(text.encode() if "-----BEGIN" in text else base64.b64decode(text, validate=True))
    except (CertificateError, binascii.Error) as e:
        raise Refusal(400, 400004, "The certificate cannot be read.") from e


def _info(certificate: Certificate | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    x509 = certificate.x509
    return {
        "subjectName": x509.subject.rfc4514_string(),
        "issuerName": x509.issuer.rfc4514_string(),
        "sha1Thumbprint": x509.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 -- the API shows it
        "sha256Thumbprint": certificate.fingerprint.upper(),
        "notBeforeUtc": x509.not_valid_before_utc.isoformat(),
        "notAfterUtc": x509.not_valid_after_utc.isoformat(),
        "serialNumber": certificate.serial.upper(),
        "version": 3,
    }
