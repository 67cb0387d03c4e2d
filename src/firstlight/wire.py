"""
The protocol's JSON: what the body of a request asks for, entry by entry.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from firstlight.errors import CertificateError, FirstlightError, RequestError
from firstlight.provision import Candidate

# What a synchronous Lambda invocation takes, and more certificates than any quota lets through in time.
MAX_BODY = 6 * 2**20
MAX_ENTRIES = 10_000
_MAX_REF = 256
# All refs of a push as JSON: an answer repeats them, and may have 6 MB on Lambda as well.
_MAX_REFS = 2**20
_MAX_LISTED = 5

_Read = TypeVar("_Read")


class JsonObject(dict[str, Any]):
    """
    A JSON object that remembers which keys it was given twice.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else {}
        self.twice = {key for key, count in counts.items() if count > 1}


def parse(headers: Mapping[str, str], body: bytes) -> JsonObject:
    """
    Return the object that *body* holds.

    Raises:
        RequestError: it holds none, is too large, or is encoded.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError("Content-Encoding is not supported; send the body as it is.", status=415)
    if len(body) > MAX_BODY:
        raise RequestError(f"The body is over {MAX_BODY} bytes; push fewer certificates at once.", status=413)
    try:
        message = json.loads(body.decode("utf-8"), object_pairs_hook=JsonObject)
    except UnicodeDecodeError as e:
        raise RequestError("The body is not UTF-8.") from e
    except (ValueError, RecursionError) as e:
        raise RequestError("The body is not JSON.") from e
    if not isinstance(message, JsonObject):
        raise RequestError("The body is not a JSON object.")
    if message.twice:
        raise RequestError(f"The body names {_listed(message.twice)} twice.")
    return message


def candidates(message: Mapping[str, Any]) -> list[Candidate]:
    """
    Return what *message* wants provisioned; an entry that cannot be read is a candidate with an error.

    Raises:
        RequestError: `certs` is no list of entries with refs, or there is too much of it.
    """
    return [
        Candidate(ref, error=read) if isinstance(read, FirstlightError) else Candidate(ref, read)
        for ref, read in entries(message, certificate)
    ]


def entries(
    message: Mapping[str, Any], read: Callable[[JsonObject], _Read]
) -> list[tuple[str, _Read | FirstlightError]]:
    """
    Return each entry's ref and what *read* makes of it, or the FirstlightError that it raises.

    Raises:
        RequestError: `certs` is no list of entries with refs, or there is too much of it.
    """
    certs = message.get("certs")
    if not isinstance(certs, list):
        raise RequestError("certs must be a list.")
    if len(certs) > MAX_ENTRIES:
        raise RequestError(f"certs has {len(certs)} entries; push at most {MAX_ENTRIES} at once.", status=413)
    found = [(_ref(i, entry), _attempted(read, entry)) for i, entry in enumerate(certs)]
    if sum(len(json.dumps(ref)) for ref, _ in found) > _MAX_REFS:
        raise RequestError(f"The refs are over {_MAX_REFS} bytes of JSON; push fewer at once.", status=413)
    return found


def certificate(entry: JsonObject) -> bytes:
    """
    Return the bytes in the entry's `cert`.

    Raises:
        CertificateError: there are none.
    """
    if entry.twice:
        raise CertificateError(f"Cannot decode certificate: the entry names {_listed(entry.twice)} twice.")
    text = entry.get("cert")
    if not isinstance(text, str) or not text.strip():
        raise CertificateError("Cannot decode certificate: cert is missing or not a string.")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as e:
        raise CertificateError("Cannot decode certificate: cert is not base64, or cut short.") from e


def _ref(index: int, entry: Any) -> str:
    if not isinstance(entry, JsonObject):
        raise RequestError(f"certs[{index}] is not an object.")
    ref = entry.get("ref")
    if not isinstance(ref, str):
        raise RequestError(f"certs[{index}].ref is missing or not a string.")
    if len(ref) > _MAX_REF:
        raise RequestError(f"certs[{index}].ref is longer than {_MAX_REF} characters.")
    return ref


def _attempted(read: Callable[[JsonObject], _Read], entry: JsonObject) -> _Read | FirstlightError:
    try:
        return read(entry)
    except FirstlightError as e:
        return e


def _listed(keys: set[str]) -> str:
    shown = ", ".join(repr(k[:40]) for k in sorted(keys)[:_MAX_LISTED])
    return shown if len(keys) <= _MAX_LISTED else f"{shown} and others"
