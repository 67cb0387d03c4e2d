"""
The certificates of a file one by one: PEM blocks, however many, or one DER certificate.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import UsageError

# No certificate comes near; a firmware image given by mistake does.
MAX_CERTIFICATE = 256 * 2**10
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_CERTIFICATES = {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}
_DER = b"\x30"


def blocks(path: Path) -> Iterator[bytes]:
    """
    Yield each certificate of the file at *path* as PEM (one block) or DER, unread.

    Keys and whatever else stands between certificates is passed over; a block without an end, or beyond
    256 KiB, is yielded as far as it goes, and nothing will read it.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.peek(1)[:1] if hasattr(file, "peek") else b""
            if start == _DER:
                yield file.read(MAX_CERTIFICATE)
                return
            yield from _blocks(iter(lambda: file.readline(MAX_CERTIFICATE), b""))
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e


def holds_only_a_key(path: Path) -> bool:
    """
    Whether the file at *path*, which has no certificate in its PEM, has a key.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return b"KEY-----" in file.read(MAX_CERTIFICATE)
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    end, size = b"", 0
    for line in lines:
        begin = _BEGIN.search(line)
        if begin and block:
            # the one before has no end
            yield b"".join(block)
            block, end = [], b""
        if begin and begin[1] in _CERTIFICATES:
            block, end, size = [line[begin.start() :]], b"-----END " + begin[1] + b"-----", 0
        elif block and size <= MAX_CERTIFICATE:
            block.append(line)
        size += len(line)
        if block and end in line:
            yield b"".join(block)
            block = []
    if block:
        yield b"".join(block)
