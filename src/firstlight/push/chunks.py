"""
Entries to request bodies that a server takes.
"""

import base64
import json
from collections.abc import Iterator, Sequence

from firstlight.push.asking import PROVISION
from firstlight.push.entries import Entry

# A Lambda behind a gateway takes 6 MiB with its envelope, in which every quote is written as two.
MAX_BODY = 5 * 2**20
_OPEN, _CLOSE = '{"action":"%s","certs":[', b"]}"


def chunks(
    entries: Sequence[Entry], size: int, action: str = PROVISION.action
) -> Iterator[tuple[Sequence[Entry], bytes]]:
    """
    Yield the entries in order, at most *size* and 5 MiB at once, each time with the request's body.
    """
    parts: list[bytes] = []
    start, length = 0, 0
    for i, entry in enumerate(entries):
        part = _encoded(entry)
        if parts and (len(parts) == size or length + len(part) > MAX_BODY):
            yield entries[start:i], _body(parts, action)
            parts, start, length = [], i, 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield entries[start:], _body(parts, action)


def _encoded(entry: Entry) -> bytes:
    certificate = base64.b64encode(entry.certificate).decode("ascii")
    return json.dumps({"ref": entry.ref, "cert": certificate}, separators=(",", ":")).encode()


def _body(parts: list[bytes], action: str) -> bytes:
    return (_OPEN % action).encode() + b",".join(parts) + _CLOSE
