"""
The files of a device that connects: its certificate with the chain, its key, who signed the server's certificate.
"""

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, UsageError


def read_device(cert: Path, key: Path, *, now: datetime, anyway: bool = False) -> tuple[bytes, bytes]:
    """
    Return the PEM of the certificate in *cert*, with what follows it there, and of its key.

    With *anyway* a certificate passes that no cloud would take at *now* (aware): to see it refused.

    Raises:
        UsageError: something is missing, unusable, or does not belong together.
    """
    _require_open(key)
    certificate, private_key = pki.load_pair(cert, key)
    if not anyway:
        _require_usable(cert, certificate, now)
    key_pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _pem(cert, cert.read_bytes()), key_pem


def read_certificate(path: Path) -> Certificate:
    """
    Raises:
        UsageError: *path* cannot be read, or holds no certificate.
    """
    try:
        return certificates.load(path.read_bytes())
    except OSError as e:
        raise UsageError(f"Cannot read {path}: {e.strerror}.") from e
    except CertificateError as e:
        raise UsageError(f"{path}: {e.message}", hint=e.hint) from e


def read_cas(path: Path) -> bytes:
    """
    Return the CA certificates of *path*, in PEM.

    Raises:
        UsageError: *path* cannot be read, or holds none.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise UsageError(f"Cannot read {path}: {e.strerror}.") from e
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise UsageError(
            f"--ca-file {path} holds no certificate in PEM.",
            hint=f"If it is DER: openssl x509 -inform der -in {path} -out {path.with_suffix('.pem')}",
        )
    return _pem(path, data)


def _require_usable(path: Path, certificate: Certificate, now: datetime) -> None:
    try:
        certificate.require_device_leaf(now)
    except CertificateError as e:
        hint = f"{e.hint} --anyway connects with it nonetheless, to see it refused. Is this machine's clock right?"
        raise UsageError(f"{path}: {e.message}", hint=hint.strip()) from e


def _pem(path: Path, data: bytes) -> bytes:
    # written anew: the SDK stumbles over the text some tools put around the blocks
    try:
        return "".join(c.pem for c in certificates.load_all(data)).encode("ascii")
    except CertificateError as e:
        raise UsageError(f"{path}: {e.message}", hint=e.hint) from e


def _require_open(key: Path) -> None:
    try:
        data = key.read_bytes()
    except OSError as e:
        raise UsageError(f"Cannot read {key}: {e.strerror}.") from e
    if b"ENCRYPTED" in data:
        raise UsageError(
            f"The key {key} is encrypted.", hint=f"Decrypt a copy of it: openssl pkey -in {key} -out device.key"
        )
