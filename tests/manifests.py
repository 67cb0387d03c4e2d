"""
Manifests as their makers write them, of certificates that the tests issue.
"""

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import py7zr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firstlight import pki
from firstlight.certificates import Certificate, load

DATA = Path(__file__).parents[2] / "shared" / "data"
SIGNED_AT = datetime(2026, 6, 1, tzinfo=UTC)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """
    Write a CSV file, quoted where it must be.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def cloud_id(path: Path, certificates: Iterable[Certificate]) -> Path:
    """
    Write the Cloud ID manifest of *certificates*: d1, d2 …, all of the batch B7.
    """
    rows = [(f"d{i}", "B7", c.pem) for i, c in enumerate(certificates, 1)]
    return write_csv(path, ("device_id", "group_id", "certificate"), rows)


def archive(
    members: Mapping[str, bytes],
    password: str | None = None,
    filters: Sequence[Mapping[str, int]] = ({"id": py7zr.FILTER_COPY},),
) -> bytes:
    """
    Return a 7z archive of *members*, made with *filters* if there is no *password*.
    """
    buffer = io.BytesIO()
    chain = None if password else list(filters)
    with py7zr.SevenZipFile(buffer, "w", filters=chain, password=password) as opened:
        for name, data in members.items():
            opened.writestr(data, name)
    return buffer.getvalue()


def bundle(path: Path, objects: Mapping[str, Mapping[str, bytes]], **more: bytes) -> Path:
    """
    Write an Infineon bundle: *objects* are the files of each object, by chip id; *more* further members.
    """
    inner = {
        f"REEL_guid_{kind}_Certs.7z": archive({f"{chip}_{kind}.pem": pem for chip, pem in files.items()})
        for kind, files in objects.items()
    }
    path.write_bytes(
        archive({**inner, "README.txt": b"Dear User", **{k.replace("__", "."): v for k, v in more.items()}})
    )
    return path


class MicrochipSigner:
    """
    A maker's log signer: its certificate, valid for a year around *SIGNED_AT*, and what it signs.
    """

    def __init__(self, name: str = "Log Signer 009", *, days: tuple[int, int] = (-180, 180)) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(9)
            .not_valid_before(SIGNED_AT + timedelta(days=days[0]))
            .not_valid_after(SIGNED_AT + timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.certificate = load(built.public_bytes(serialization.Encoding.PEM))

    def entry(
        self, unique_id: str, chain: Sequence[Certificate], *, headers: Mapping[str, Any] | None = None, **payload: Any
    ) -> dict[str, Any]:
        """
        Return the signed entry of one chip whose slot 0 has *chain*, if there is one; *payload* overrides.
        """
        keys: list[dict[str, Any]] = [{"kid": "0", "kty": "EC"}, {"kid": "1", "kty": "EC"}]
        if chain:
            keys[0]["x5c"] = [base64.b64encode(c.der).decode() for c in chain]
        told = {
            "version": 1,
            "partNumber": "ATECC608C",
            "uniqueId": unique_id,
            "provisioningTimestamp": SIGNED_AT.isoformat(),
            "publicKeySet": {"keys": keys},
        } | payload
        by = {"x5t#S256": _base64url(bytes.fromhex(self.certificate.fingerprint))} if headers is None else dict(headers)
        token = jwt.api_jws.encode(json.dumps(told).encode(), self.key, algorithm="ES256", headers=by)
        protected, body, signature = token.split(".")
        return {"payload": body, "protected": protected, "header": {"uniqueId": unique_id}, "signature": signature}

    @property
    def key_id(self) -> str:
        identifier = self.certificate.x509.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return _base64url(identifier.digest)


def reel(factory: Any, count: int) -> list[Certificate]:
    """
    Return *count* devices of one key: only the certificates matter.
    """
    key = pki.new_key()
    return [
        pki.issue_device(
            ca=factory.ca,
            ca_key=factory.key,
            key_or_public_key=key,
            common_name='""',
            serial=0x10000000 + i,
            now=factory.now,
        )
        for i in range(count)
    ]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
