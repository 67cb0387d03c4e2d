"""
What each device of a status request is now, as the protocol says it.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstlight import certificates, wire
from firstlight.errors import CertificateError, FirstlightError, IdentityError
from firstlight.identity import Naming, NamingRule
from firstlight.inspection import Condition, Inspector, Sought, Standing
from firstlight.recent import Recent

_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")
# Certificates read before other requests have their turn on the event loop: some 5 ms.
_BREATH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDesk:
    """
    Answers from the registry itself, and from what this process left in the queue.
    """

    inspector: Inspector
    rule: NamingRule
    queued: Recent
    now: Callable[[], datetime]

    async def answer(self, message: Mapping[str, Any], *, deadline: float) -> list[dict[str, Any]]:
        """
        Return one entry for each of `certs`, in order: ref, status, and what there is to say about it.

        Raises:
            RequestError: `certs` is no list of entries with refs, or there is too much of it.
        """
        asked = []
        for position, (ref, named) in enumerate(wire.entries(message, _named)):
            asked.append((ref, named if isinstance(named, FirstlightError) else _sought(named, self.rule)))
            if position % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        standings = await self._standings([who for _, who in asked if isinstance(who, Sought)], deadline)
        return [
            _entry(ref, who) if isinstance(who, FirstlightError) else _entry(ref, standings[who.fingerprint])
            for ref, who in asked
        ]

    async def _standings(self, sought: Sequence[Sought], deadline: float) -> dict[str, Standing]:
        # A device that is asked about twice is looked up once, by its certificate if either has it.
        devices: dict[str, Sought] = {}
        for who in sought:
            if who != Sought(who.fingerprint) or who.fingerprint not in devices:
                devices[who.fingerprint] = who
        found = await self.inspector.inspect(list(devices.values()), deadline=deadline) if devices else []
        return {
            fingerprint: self._known(fingerprint, standing)
            for fingerprint, standing in zip(devices, found, strict=True)
        }

    def _known(self, fingerprint: str, standing: Standing) -> Standing:
        if standing.error is None and standing.condition is Condition.READY:
            self.queued.drop(fingerprint)
        elif self.queued.has(fingerprint, self.now()):
            return Standing(Condition.QUEUED, standing.missing)
        return standing


def _named(entry: wire.JsonObject) -> str | bytes:
    """
    Return what the entry names its device by: a fingerprint, or the bytes of a certificate.
    """
    fingerprint = entry.get("fingerprint")
    if fingerprint is None:
        return wire.certificate(entry)
    if "cert" in entry:
        raise CertificateError("The entry has a cert and a fingerprint; ask by one of them.")
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise CertificateError("fingerprint is not 64 hex digits, the SHA-256 of the certificate's DER.")
    return fingerprint.lower()


def _sought(named: str | bytes, rule: NamingRule) -> Sought | FirstlightError:
    if isinstance(named, str):
        # Some clouds find devices by name only; here the fingerprint says it.
        return Sought(named, rule.prefix + named if rule.naming is Naming.FINGERPRINT else "")
    try:
        leaf = certificates.load(named)
        return Sought(leaf.fingerprint, _name(leaf, rule), leaf.common_name)
    except FirstlightError as e:
        return e
    except Exception:  # noqa: BLE001 -- whatever a certificate does to its reader, its neighbours are answered
        return CertificateError("Cannot decode certificate: it cannot be read.")


def _name(leaf: certificates.Certificate, rule: NamingRule) -> str:
    try:
        return rule.name(leaf)
    except IdentityError:
        return ""


def _entry(ref: str, found: Standing | FirstlightError) -> dict[str, Any]:
    error = found if isinstance(found, FirstlightError) else found.error
    if error is not None:
        return {"ref": ref, "status": "ERROR", "message": str(error)}
    assert isinstance(found, Standing)  # noqa: S101 -- narrows a type
    entry: dict[str, Any] = {"ref": ref, "status": found.condition.value}
    if found.missing:
        entry["missing"] = list(found.missing)
    if found.endpoint:
        entry["endpoint"] = found.endpoint
    return entry
