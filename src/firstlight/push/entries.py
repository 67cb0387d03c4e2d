"""
Files to the entries of a push: PEM or DER files, folders of them, Cloud ID manifests.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firstlight import certificates
from firstlight.errors import CertificateError, UsageError
from firstlight.manifests import Options, cloud_id, pem
from firstlight.manifests.pem_blocks import MAX_CERTIFICATE

_CERTIFICATE_LABEL = b"CERTIFICATE-----"


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
        yield from _manifest(path)
    else:
        yield _file(path)


def _manifest(path: Path) -> Iterator[Entry]:
    empty = True
    for record in cloud_id.read(path, Options()):
        empty = False
        if record.error is not None:
            raise UsageError(record.error.message, hint=record.error.hint)
        where = f"{path}:{record.source.removeprefix(path.name)} ({record.ref})"
        yield Entry(record.ref, _pem(record.certificate, where), record.source)
    if empty:
        raise UsageError(f"{path} holds no device: there is no row after the header.")


def _folder(folder: Path) -> Iterator[Entry]:
    entries = [_file(file) for file in pem.files_of(folder) if not _holds_only_a_key(file)]
    if not entries:
        raise UsageError(f"{folder} holds no certificate file.", hint=pem.FILES_IN_WORDS)
    yield from entries


def _holds_only_a_key(file: Path) -> bool:
    # keys live beside certificates in folders; only a file that is named is a mistake
    data = _bytes(file)
    return b"KEY-----" in data and b"BEGIN " + _CERTIFICATE_LABEL not in data


def _file(path: Path) -> Entry:
    return Entry(path.stem, _pem(_bytes(path), str(path)), path.name)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_CERTIFICATE:
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
