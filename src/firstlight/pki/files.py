"""
Keys and certificates on disk: keys readable by their owner only, nothing ever overwritten.
"""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, UsageError
from firstlight.pki.keys import PrivateKey

_KEY_MODE = 0o600
_CERTIFICATE_MODE = 0o644
_FOLDER_MODE = 0o700


def write_key(path: Path, key: PrivateKey, *, password: bytes | None = None) -> None:
    """
    Write *key* as PKCS #8 PEM, mode 0600, encrypted if there is a *password*.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    protection: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection), _KEY_MODE)


def write_certificate(path: Path, *chain: Certificate) -> None:
    """
    Write *chain* as PEM, leaf first.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    _write_new(path, "".join(c.pem for c in chain).encode("ascii"), _CERTIFICATE_MODE)


def require_absent(*paths: Path) -> None:
    """
    Return only if none of *paths* exists, so that of several files all are written or none.

    Raises:
        UsageError: one does.
    """
    for path in paths:
        if path.exists() or path.is_symlink():
            raise _exists(path)


def private_folder(path: Path) -> Path:
    """
    Return *path*, created with mode 0700 if it was not there.

    Raises:
        UsageError: it cannot be created, or is a file.
    """
    try:
        path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"Cannot create the folder {path}: {e.strerror}.") from e
    return path


def load_key(path: Path, *, password: bytes | None = None) -> PrivateKey:
    """
    Return the private key in *path*, PEM or DER.

    Raises:
        UsageError: there is no such file, it holds no usable key, or the password is missing or wrong.
    """
    data = _read(path)
    load = load_pem_private_key if b"-----BEGIN " in data else load_der_private_key
    try:
        key = load(data, password)
    except TypeError as e:
        if password is None:
            raise UsageError(f"The key {path} is encrypted.", hint="Give its password.") from e
        raise UsageError(f"The key {path} is not encrypted, and a password was given.") from e
    except (ValueError, UnsupportedAlgorithm) as e:
        if password is not None and b"ENCRYPTED" in data:
            raise UsageError(f"The password of the key {path} is wrong, or the file is damaged.") from e
        raise UsageError(f"{path} holds no private key.", hint=_what_it_is(data)) from e
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise UsageError(f"The key {path} is neither RSA nor elliptic-curve.")
    return key


def load_pair(
    certificate_path: Path, key_path: Path, *, password: bytes | None = None
) -> tuple[Certificate, PrivateKey]:
    """
    Return the certificate of *certificate_path* (the first, if it is a chain) and its key.

    Raises:
        UsageError: a file is missing or unusable, or the two do not belong together.
    """
    try:
        certificate = certificates.load(_read(certificate_path))
    except CertificateError as e:
        raise UsageError(f"{certificate_path}: {e.message}", hint="Give a certificate, PEM or DER.") from e
    key = load_key(key_path, password=password)
    if certificate.x509.public_key() != key.public_key():
        raise UsageError(
            f"The key {key_path} does not belong to the certificate {certificate_path}.",
            hint="Give the key that was made with this certificate.",
        )
    return certificate, key


def exposure(path: Path) -> str:
    """
    Return one sentence if others than the owner may read the key in *path*, else an empty string.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"The key {path} is open to others than its owner (mode {mode:04o}): chmod 600 it."
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"Cannot read {path}: {e.strerror}.") from e


def _write_new(path: Path, data: bytes, mode: int) -> None:
    # O_EXCL: neither an existing file nor a link put there meanwhile is ever written through
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as e:
        raise _exists(path) from e
    except OSError as e:
        raise UsageError(f"Cannot write {path}: {e.strerror}.") from e
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists already and is not overwritten.", hint="Move it away, or name another.")


def _what_it_is(data: bytes) -> str:
    if b"CERTIFICATE REQUEST-----" in data:
        return "It is a certificate signing request."
    return "It is a certificate." if b"CERTIFICATE-----" in data else ""
