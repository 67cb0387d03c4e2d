"""
Files to the entries of a push: PEM or DER files, folders of them, Cloud ID manifests.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firstlight import certificates
from firstlight.errors import CertificateError, UsageError
from firstlight.push import manifest

_CERTIFICATE_FILES = {".pem", ".crt", ".cer", ".der"}
_CERTIFICATE_LABEL = b"CERTIFICATE-----"
# No certificate or chain comes near; a firmware image given by mistake does.
_MAX_FILE = 256 * 2**10


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One certificate to push: PEM text, and what the answer will call it.

    `source` says where it came from, for people.
    """

    ref: str
    certificate: bytes = field(repr=False)
    source: str = ""


def read(paths: Iterable[Path]) -> list[Entry]:
    """
    Return the entries of *paths*, in order.

    A folder is searched, not its subfolders, for certificate files in order of name; a `.csv`
    file is a manifest; anything else is one certificate or chain, whose `ref` is the file's stem.

    Raises:
        UsageError: a path cannot be read or holds no certificate.
    """
    return [entry for path in paths for entry in _read(path)]


def _read(path: Path) -> Iterator[Entry]:
    if path.is_dir():
        yield from _folder(path)
    elif path.suffix.lower() == ".csv":
        for number, device_id, cell in manifest.rows(path):
            source = f"{path.name} row {number}"
            yield Entry(device_id, _pem(cell, f"{path}: row {number} ({device_id})"), source)
    else:
        yield _file(path)


def _folder(folder: Path) -> Iterator[Entry]:
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _CERTIFICATE_FILES and p.is_file())
    except OSError as e:
        raise UsageError(f"{folder} cannot be read: {e.strerror}.") from e
    entries = [_file(file) for file in files if not _holds_only_a_key(file)]
    if not entries:
        raise UsageError(f"{folder} holds no certificate file.", hint="They end in .pem, .crt, .cer or .der.")
    yield from entries


def _holds_only_a_key(file: Path) -> bool:
    # keys live beside certificates in folders; only a file that is named is a mistake
    data = _bytes(file)
    return b"KEY-----" in data and b"BEGIN " + _CERTIFICATE_LABEL not in data


def _file(path: Path) -> Entry:
    return Entry(path.stem, _pem(_bytes(path), str(path)), path.name)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_FILE:
            raise UsageError(f"{path} is too large for a certificate.", hint="A manifest's name ends in .csv.")
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e


def _pem(data: bytes, where: str) -> bytes:
    try:
        certificate = certificates.load(data)
    except CertificateError as e:
        raise UsageError(f"{where} holds no certificate: {e.message}", hint=e.hint) from e
    # the protocol carries PEM text; PEM is passed on untouched, chain and all
    return data if b"-----BEGIN " in data else certificate.pem.encode("ascii")
