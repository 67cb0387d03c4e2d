"""
Base64 lines: on each line one certificate, the base64 of its PEM or its DER.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import ManifestError, UsageError
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")
# Bytes of one line: a certificate with its chain, twice encoded.
_MAX_LINE = 256 * 2**10


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per line that is not blank; its ref is the file's stem and the line's number.

    Raises:
        UsageError: the file cannot be read.
    """
    del options
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 1):
                if text := line.strip():
                    yield _record(path, number, text)
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e


def _record(path: Path, number: int, text: bytes) -> Record:
    ref, source = f"{path.stem}-{number}", f"{path.name} line {number}"
    try:
        return Record(ref, base64.b64decode(text, validate=True), source)
    except (binascii.Error, ValueError):
        return Record(ref, source=source, error=ManifestError(f"{path}: line {number} is not base64."))


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    line = sample.head.lstrip().partition(b"\n")[0].strip()
    return _BASE64.fullmatch(line) is not None


FORMAT = Format("base64", "base64 lines", _recognises, read)
