"""
DPS's decision about a registration: which enrollment, whether the certificate proves it, and which hub.

Source: "X.509 certificate attestation" and "Reprovisioning" of the Device Provisioning Service, Microsoft Learn.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.azure_cloud import chains
from firstlight.local.azure_cloud.hub_twin import merged
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import (
    Assignment,
    Device,
    Dps,
    Enrollment,
    Hub,
    World,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What a device shows: its registration id, its certificate, and what it sent behind that.
    """

    registration_id: str
    certificate: Certificate
    chain: tuple[Certificate, ...] = ()


def register(claim: Claim, dps: Dps, world: World, now: datetime) -> tuple[Assignment, str]:
    """
    Make *claim*'s device an identity of a hub; return the assignment and its substatus.

    Raises:
        SessionError: it is not let in; `reason` is a `Why`.
    """
    chains.require_dates(claim.certificate, now)
    _require_name(claim)
    key = claim.registration_id.lower()
    individual = next((e for e in dps.enrollments.values() if e.id.lower() == key), None)
    enrollment = individual or _group(claim, dps, now)
    if not enrollment.enabled:
        kind = "enrollment" if individual else "enrollment group"
        raise SessionError(f"The {kind} {enrollment.id!r} is disabled.", reason=Why.DISABLED)
    if individual and individual.certificate != claim.certificate:
        raise SessionError(
            f"The certificate is not that of the individual enrollment {individual.id!r}.", reason=Why.THUMBPRINT
        )
    hub = _hub(claim, enrollment, dps, world)
    return _assign(claim, enrollment, dps, hub, world)


def _require_name(claim: Claim) -> None:
    name = claim.certificate.common_name
    # unlike device ids, registration ids are case-insensitive
    if (name or "").lower() != claim.registration_id.lower():
        raise SessionError(
            f"The certificate's CN is {name!r}, not the registration id {claim.registration_id!r}.",
            reason=Why.COMMON_NAME,
        )


def _group(claim: Claim, dps: Dps, now: datetime) -> Enrollment:
    """
    The nearest issuer that an enrollment group names decides, and the chain must reach a verified CA from there.
    """
    cas = list(dps.certificates.values())
    groups = [(_issuer(group, dps), group) for group in dps.groups.values()]
    named = [issuer for issuer, _ in groups if issuer is not None]
    path = chains.issuers(claim.certificate, claim.chain, [*(ca.certificate for ca in cas), *named])
    for at, certificate in enumerate(path):
        group = next((group for issuer, group in groups if issuer == certificate), None)
        if group is not None:
            if group.enabled:
                # "rolls up to a verified certificate": the group's own issuer, or one above it
                for passed in path[:at]:
                    chains.require_dates(passed, now)
                chains.require_verified(claim.certificate, path[at:], cas, of=dps.host, now=now)
            return group
    # reaching a verified CA, or why not: the likelier mistake is said first
    chains.require_verified(claim.certificate, path, cas, of=dps.host, now=now)
    raise SessionError(
        f"There is no enrollment for {claim.registration_id!r}, and no enrollment group of its issuers in {dps.name}.",
        reason=Why.ENROLLMENT,
    )


def _issuer(group: Enrollment, dps: Dps) -> Certificate | None:
    if group.certificate is not None:
        return group.certificate
    ca = dps.certificates.get(group.ca_name)
    return ca.certificate if ca is not None else None


def _hub(claim: Claim, enrollment: Enrollment, dps: Dps, world: World) -> Hub:
    linked = [hub for host in dps.hubs if (hub := world.hub_at(host)) is not None]
    if enrollment.hub_host:
        linked = [hub for hub in linked if hub.host == enrollment.hub_host.lower()]
    if not linked:
        raise SessionError(
            f"{dps.name} has no linked IoT hub{' ' + enrollment.hub_host if enrollment.hub_host else ''} to assign.",
            reason=Why.NO_HUB,
        )
    before = dps.assignments.get(claim.registration_id.lower())
    kept = next((hub for hub in linked if before is not None and hub.host == before.hub_host), None)
    # evenly, and the same hub for the same device
    return kept or linked[zlib.crc32(claim.registration_id.lower().encode()) % len(linked)]


def _assign(claim: Claim, enrollment: Enrollment, dps: Dps, hub: Hub, world: World) -> tuple[Assignment, str]:
    key = claim.registration_id.lower()
    before = dps.assignments.get(key)
    device_id = enrollment.device_id or (before.device_id if before else claim.registration_id)
    device, substatus = hub.devices.get(device_id), "initialAssignment"
    if before is not None and before.hub_host != hub.host:
        device, substatus = _moved(before, hub, world) or device, "deviceDataMigrated"
    if device is None:
        device = Device(device_id)
        device.twin.tags = merged({}, enrollment.initial_twin.get("tags") or {})
        device.twin.desired = merged({}, (enrollment.initial_twin.get("properties") or {}).get("desired") or {})
    hub.devices[device_id] = device
    # a rolled certificate takes the place of the old one
    device.kind, device.primary, device.secondary = "selfSigned", claim.certificate.fingerprint.upper(), ""
    assignment = Assignment(claim.registration_id, device_id, hub.host, enrollment.id)
    dps.assignments[key] = assignment
    return assignment, substatus


def _moved(before: Assignment, hub: Hub, world: World) -> Device | None:
    old = world.hub_at(before.hub_host)
    device = old.devices.pop(before.device_id, None) if old is not None else None
    if old is not None and device is not None:
        old.tell("deleted", device)
        hub.devices[before.device_id] = device
    return device
