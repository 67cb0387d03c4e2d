"""
Certificate files: one, a folder of them, or a bundle of many devices' certificates in one file.

Which certificates of a file belong together is decided by issuance: a certificate that signed the one
before it is that device's chain, and every other begins a new device.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError, ManifestError, UsageError
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.pem_blocks import blocks, holds_only_a_key
from firstlight.manifests.record import Record, one_line

FILES = {".pem", ".crt", ".cer", ".der"}
FILES_IN_WORDS = "They end in .pem, .crt, .cer or .der."
_MARK = b"-----BEGIN "
_DER_SEQUENCE = b"\x30\x82"
# A chain longer than this is none.
_MAX_CHAIN = 10


def files_of(folder: Path) -> list[Path]:
    """
    Return the certificate files of *folder* in order of name, without its subfolders.

    Raises:
        UsageError: the folder cannot be read, or has none.
    """
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in FILES and p.is_file())
    except OSError as e:
        raise UsageError(f"{folder} cannot be read: {e.strerror}.") from e
    if not files:
        raise UsageError(f"{folder} holds no certificate file.", hint=FILES_IN_WORDS)
    return files


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per device of the file, or of the certificate files of the folder, at *path*.

    The ref of a file's only device is the file's stem; of several it is the stem and the device's number.
    Files that hold only a key are passed over in a folder; others without a certificate are errors.

    Raises:
        UsageError: *path* cannot be read.
    """
    del options
    if not path.is_dir():
        yield from _file(path)
        return
    for file in files_of(path):
        empty = True
        for record in _file(file):
            empty = False
            yield record
        if empty and not holds_only_a_key(file):
            # cut to nothing on its way, perhaps: it is somebody's
            error = ManifestError(f"{file} holds no certificate.")
            yield Record(one_line(file.stem), source=one_line(file.name), error=error)


@dataclass(slots=True)
class _Device:
    number: int
    # of its first certificate among those of the file
    position: int
    blocks: list[bytes] = field(default_factory=list)
    last: Certificate | None = None

    def takes(self, certificate: Certificate | None) -> bool:
        return (
            self.last is not None
            and certificate is not None
            and len(self.blocks) < _MAX_CHAIN
            and self.last.is_issued_by(certificate)
        )


def _file(path: Path) -> Iterator[Record]:
    device: _Device | None = None
    for position, block in enumerate(blocks(path), 1):
        certificate = _loaded(block)
        if device is not None and device.takes(certificate):
            device.blocks.append(block)
        else:
            if device is not None:
                yield _record(path, device, single=False)
            device = _Device(device.number + 1 if device else 1, position, [block])
        device.last = certificate
    if device is not None:
        yield _record(path, device, single=device.number == 1)


def _record(path: Path, device: _Device, *, single: bool) -> Record:
    ref = path.stem if single else f"{path.stem}-{device.number}"
    source = path.name if single else f"{path.name} certificate {device.position}"
    return Record(one_line(ref), b"".join(device.blocks), one_line(source))


def _loaded(block: bytes) -> Certificate | None:
    try:
        return certificates.load(block)
    except CertificateError:
        return None  # whoever provisions it says why


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return sample.is_folder or _MARK in sample.head or sample.head.startswith(_DER_SEQUENCE)


FORMAT = Format("pem", "certificate files, PEM or DER, one, a bundle or a folder", _recognises, read)
