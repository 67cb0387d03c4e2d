"""
A CA, a key or a certificate named on the command line, loaded or refused in one sentence.
"""

from pathlib import Path

import click

from firstlight import certificates, pki
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, UsageError

FOLDER_HINT = "A folder holds ca.pem and ca.key; a prefix such as pki/acme stands for pki/acme.pem and pki/acme.key."


def load_ca(place: Path, password_file: Path | None) -> tuple[Certificate, pki.PrivateKey]:
    """
    Return the CA's certificate and key that *place* stands for: a folder, a prefix or the .pem itself.

    Raises:
        UsageError: one is missing or unusable, or the two do not belong together.
    """
    stem = place / "ca" if place.is_dir() else place.with_suffix("") if place.suffix == ".pem" else place
    certificate, key = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
    for file in (certificate, key):
        if not file.is_file():
            raise UsageError(f"There is no {file}.", hint=FOLDER_HINT)
    pair = pki.load_pair(certificate, key, password=read_password(password_file))
    warn_of_exposure(key)
    return pair


def read(path: Path) -> bytes:
    """
    Raises:
        UsageError: *path* cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"Cannot read {path}: {e.strerror}.") from e


def load_certificate(path: Path) -> Certificate:
    """
    Return the first certificate in *path*.

    Raises:
        UsageError: there is none.
    """
    try:
        return certificates.load(read(path))
    except CertificateError as e:
        raise UsageError(f"{path}: {e.message}", hint="Give a certificate, PEM or DER.") from e


def read_password(path: Path | None) -> bytes | None:
    """
    Return the first line of *path*, or None without a path.

    Raises:
        UsageError: it cannot be read, or its first line is empty.
    """
    if path is None:
        return None
    lines = read(path).splitlines()
    if not lines or not lines[0]:
        raise UsageError(f"The first line of {path} is empty; it is the password.")
    return lines[0]


def warn_of_exposure(key: Path) -> None:
    """
    Say on stderr if others than its owner may read *key*.
    """
    if sentence := pki.exposure(key):
        click.echo(f"firstlight: {sentence}", err=True)
