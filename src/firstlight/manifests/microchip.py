"""
The Microchip manifest: a JSON array of one signed entry (JWS, RFC 7515) per chip.

The payload is Microchip's "secure element manifest": a `uniqueId` and up to 16 key slots, some with a
certificate chain (`x5c`, RFC 7517 section 4.7).
"""

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight.errors import ManifestError, UsageError
from firstlight.manifests import json_items, jws
from firstlight.manifests.attributes import chosen
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record, one_line

_BEGINS = re.compile(r'\{\s*"(?:payload|protected|header|signature)"')
_MAX_CHAIN = 10


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per certificate, leaf and chain, of each entry that one of the `signers` signed; its ref is
    the chip's `uniqueId`.  An entry without a certificate, or without a signature that holds, is an error.

    Raises:
        UsageError: the file cannot be read, or there are no signers.
    """
    if not options.signers:
        raise UsageError(
            f"Who may have signed {path}?", hint="Name the maker's signing certificates with --signer, one or several."
        )
    signers = jws.Signers(options.signers)
    for number, entry in enumerate(json_items.items(path, begins=_BEGINS), 1):
        source = f"{path.name} entry {number}"
        if isinstance(entry, json_items.Broken):
            yield _error(path, number, "", "is not JSON, or cut off")
            continue
        ref = _claimed(entry)
        try:
            payload = signers.payload(entry, signed_at=_provisioned)
            records = list(_records(payload, source, options))
        except ManifestError as e:
            yield _error(path, number, ref, e.message, e.hint)
            continue
        yield from records
        if not records:
            yield _error(path, number, ref, "has no key with a certificate")


def _error(path: Path, number: int, ref: str, problem: str, hint: str = "") -> Record:
    error = ManifestError(f"{path}: entry {number} {problem}.", hint=hint)
    return Record(ref, source=f"{path.name} entry {number}", error=error)


def _claimed(entry: Any) -> str:
    """
    Return the chip's id as the entry has it outside its signature: good enough to name an entry that is refused.
    """
    header = entry.get("header") if isinstance(entry, dict) else None
    claimed = header.get("uniqueId") if isinstance(header, dict) else None
    return one_line(claimed) if isinstance(claimed, str) else ""


def _provisioned(payload: dict[str, Any]) -> datetime | None:
    try:
        found = datetime.fromisoformat(payload["provisioningTimestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _records(payload: dict[str, Any], source: str, options: Options) -> Iterator[Record]:
    ref = payload.get("uniqueId")
    if not isinstance(ref, str) or not ref.strip():
        raise ManifestError("has no uniqueId")
    key_set = payload.get("publicKeySet")
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    fields = {name: one_line(v) for name, v in payload.items() if isinstance(v, str)}
    attributes = chosen(fields, options.attributes)
    for key in keys if isinstance(keys, list) else []:
        chain = key.get("x5c") if isinstance(key, dict) else None
        if chain:
            place = f"{source} key {one_line(str(key.get('kid', '')))}"
            yield Record(one_line(ref), _pem(chain), place, attributes)


def _pem(chain: Any) -> bytes:
    if not isinstance(chain, list) or len(chain) > _MAX_CHAIN or not all(isinstance(c, str) for c in chain):
        raise ManifestError("has a certificate chain that is none")
    text = ""
    for certificate in chain:
        try:
            base64.b64decode(certificate, validate=True)
        except ValueError as e:
            raise ManifestError("has a certificate that is not base64") from e
        lines = "\n".join(certificate[i : i + 64] for i in range(0, len(certificate), 64))
        text += f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
    return text.encode("ascii")


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return _BEGINS.search(sample.head.decode("utf-8", "replace")) is not None


FORMAT = Format("microchip", "Microchip signed JSON", _recognises, read)
