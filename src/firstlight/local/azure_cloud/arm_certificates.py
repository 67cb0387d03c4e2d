"""
CA certificates of a hub or a DPS: uploaded, proven to be theirs who uploaded them, deleted; each step by etag.
"""

import base64
import binascii
import secrets
from typing import Any

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import CaCertificate, Dps, Hub, new_etag

_CODE = 24  # bytes
Owner = Hub | Dps


def shown(ca: CaCertificate, resource_id: str, kind: str) -> dict[str, Any]:
    """
    Return *ca* as Azure Resource Manager shows it, at the path of its *kind* of resource.
    """
    properties = {
        "subject": ca.certificate.common_name,
        "expiry": f"{ca.certificate.x509.not_valid_after_utc:%a, %d %b %Y %H:%M:%S} GMT",
        "thumbprint": ca.certificate.fingerprint.upper(),
        "isVerified": ca.verified,
        "certificate": base64.b64encode(ca.certificate.pem.encode()).decode(),
    }
    if ca.verification_code:
        properties["verificationCode"] = ca.verification_code
    return {"id": resource_id, "name": ca.name, "type": kind, "etag": ca.etag, "properties": properties}


def get(owner: Owner, name: str) -> CaCertificate:
    """
    Raises:
        Refusal: there is none of this *name*.
    """
    if name not in owner.certificates:
        raise Refusal(404, "NotFound", f"The certificate {name} does not exist.")
    return owner.certificates[name]


def put(owner: Owner, name: str, body: dict[str, Any], *, etag: str | None) -> CaCertificate:
    """
    Upload; what is there already is replaced for the one who names its *etag* (None: for anybody).

    Raises:
        Refusal: the etag is another, or the body holds no certificate.
    """
    properties = body.get("properties") or body
    certificate = _read(properties.get("certificate"))
    known = owner.certificates.get(name)
    if known is not None and etag is not None:
        require_match(known, etag)
    ca = CaCertificate(name, certificate, verified=bool(properties.get("isVerified")))
    owner.certificates[name] = ca
    return ca


def delete(owner: Owner, name: str, *, etag: str) -> None:
    """
    Raises:
        Refusal: there is none, the etag is another, or an enrollment group stands on it.
    """
    require_match(get(owner, name), etag)
    if isinstance(owner, Dps) and any(group.ca_name == name for group in owner.groups.values()):
        raise Refusal(409, "Conflict", f"An enrollment group refers to the certificate {name}.")
    del owner.certificates[name]


def generate_code(owner: Owner, name: str, *, etag: str) -> CaCertificate:
    """
    Give *name* a verification code, which undoes an earlier verification.

    Raises:
        Refusal: there is none, or the etag is another.
    """
    ca = get(owner, name)
    require_match(ca, etag)
    ca.verification_code = secrets.token_hex(_CODE).upper()
    ca.verified = False
    ca.etag = new_etag()
    return ca


def verify(owner: Owner, name: str, body: dict[str, Any], *, etag: str) -> CaCertificate:
    """
    Believe that *name* is theirs who signed a certificate whose CN is the verification code.

    Raises:
        Refusal: they did not, there is none, or the etag is another.
    """
    ca = get(owner, name)
    require_match(ca, etag)
    proof = _read(body.get("certificate"))
    if not ca.verification_code or proof.common_name != ca.verification_code:
        raise Refusal(400, 400009, "The verification certificate's common name is not the verification code.")
    if not proof.is_issued_by(ca.certificate):
        raise Refusal(400, 400009, f"The verification certificate is not signed by the certificate {name}.")
    ca.verified = True
    ca.etag = new_etag()
    return ca


def require_match(ca: CaCertificate, etag: str) -> None:
    """
    Raises:
        Refusal: 412, as IoT Hub says it.
    """
    if etag not in {ca.etag, "*"}:
        raise Refusal(412, 412001, f"Invalid ETag {etag!r} for the certificate {ca.name}.")


def _read(given: Any) -> Certificate:
    """
    PEM text, or Base64 of PEM or DER: the APIs' generations differ.
    """
    try:
        text = str(given or "")
        data = text.encode() if "-----BEGIN" in text else base64.b64decode(text, validate=True)
        return certificates.load(data)
    except (CertificateError, binascii.Error) as e:
        raise Refusal(400, 400008, "The certificate cannot be read.") from e
