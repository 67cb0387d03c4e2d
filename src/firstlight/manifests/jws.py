"""
Signed entries of a manifest (JWS in JSON, RFC 7515 section 7.2.2), held against the signers an operator named.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from firstlight.certificates import Certificate
from firstlight.errors import ManifestError, UsageError

_ALGORITHM = "ES256"
_JWS = jwt.PyJWS(algorithms=[_ALGORITHM])
_MAX_PAYLOAD = 512 * 2**10


class Signers:
    """
    The certificates whose keys are believed, found by `x5t#S256` (SHA-256 of the certificate), or else by `kid`
    (its subject key identifier).  Nothing is believed of a signer because of who signed its certificate.

    Raises:
        UsageError: one of them has no key that signs ES256.
    """

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._by_thumbprint: dict[str, Certificate] = {}
        self._by_key_id: dict[str, Certificate] = {}
        for certificate in certificates:
            key = certificate.x509.public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                raise UsageError(f"The signer {_named(certificate)} has no EC P-256 key, so it signs no {_ALGORITHM}.")
            self._by_thumbprint[_base64url(hashlib.sha256(certificate.der).digest())] = certificate
            if identifier := _key_identifier(certificate):
                self._by_key_id[_base64url(identifier)] = certificate

    def payload(self, entry: Any, *, signed_at: Callable[[dict[str, Any]], datetime | None]) -> dict[str, Any]:
        """
        Return what *entry* says, once a signer is found to have signed it while its certificate was valid.

        *signed_at* reads the time of signing from the payload.  It is the signer's own word, and the only one:
        a signature carries no other date.  So an expired signer's older signatures hold, and a signer whose
        key got out is to be named no more.

        Raises:
            ManifestError: it is no signed entry, or its signature does not hold; the sentence goes on from "entry 3".
        """
        protected, payload, signature = (_part(entry, name) for name in ("protected", "payload", "signature"))
        signer = self._signer(_decoded(protected, "protected header"))
        token = f"{protected}.{payload}.{signature}"
        try:
            found = _JWS.decode(token, signer.x509.public_key(), algorithms=[_ALGORITHM])  # type: ignore[arg-type]
        except jwt.PyJWTError as e:
            raise ManifestError(f"has a signature that does not hold (by {_named(signer)})") from e
        del found
        told = _decoded(payload, "payload")
        claimed = entry.get("header", {})
        if isinstance(claimed, dict) and claimed.get("uniqueId", told.get("uniqueId")) != told.get("uniqueId"):
            raise ManifestError("has another uniqueId in its header than in what was signed")
        _require_valid(signer, signed_at(told))
        return told

    def _signer(self, header: dict[str, Any]) -> Certificate:
        if header.get("alg") != _ALGORITHM:
            raise ManifestError(f"is signed with {_short(header.get('alg'))}; {_ALGORITHM} is needed")
        thumbprint, key_id = header.get("x5t#S256"), header.get("kid")
        if isinstance(thumbprint, str):
            signer = self._by_thumbprint.get(thumbprint.rstrip("="))
        else:
            signer = self._by_key_id.get(key_id.rstrip("=")) if isinstance(key_id, str) else None
        if signer is None:
            raise ManifestError(
                f"is signed by {_short(thumbprint or key_id)}, which is none of the signers named",
                hint="Name that signer's certificate too, if it is to be believed.",
            )
        return signer


def _require_valid(signer: Certificate, at: datetime | None) -> None:
    if at is None:
        raise ManifestError("does not say when it was signed (provisioningTimestamp)")
    not_before, not_after = signer.x509.not_valid_before_utc, signer.x509.not_valid_after_utc
    if not not_before <= at <= not_after:
        raise ManifestError(
            f"was signed at {at:%Y-%m-%dT%H:%M:%SZ}, when {_named(signer)} was not valid "
            f"({not_before:%Y-%m-%d} to {not_after:%Y-%m-%d})"
        )


def _part(entry: Any, name: str) -> str:
    part = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(part, str) or not part or len(part) > _MAX_PAYLOAD:
        raise ManifestError(f"has no {name}")
    _bytes(part, name)
    return part


def _bytes(part: str, name: str) -> bytes:
    """
    Decode strictly: what the library would skip is not what was signed.
    """
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as e:
        raise ManifestError(f"has a {name} that is not base64url") from e
    if _base64url(raw) != part:
        raise ManifestError(f"has a {name} that is not base64url")
    return raw


def _decoded(part: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part, name))
    except (ValueError, RecursionError) as e:
        raise ManifestError(f"has a {name} that is not JSON") from e
    if not isinstance(found, dict):
        raise ManifestError(f"has a {name} that is no JSON object")
    return found


def _key_identifier(certificate: Certificate) -> bytes:
    try:
        return certificate.x509.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return b""


def _named(certificate: Certificate) -> str:
    return certificate.common_name or certificate.fingerprint[:16]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _short(value: Any) -> str:
    return "".join(c for c in str(value)[:64] if c.isprintable())
