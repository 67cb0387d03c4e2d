"""
What the hub's registry says of the device.
"""

import shlex

from firstlight.doctor.azure_case import BY_CA, BY_THUMBPRINT, AzureCase, Identity, thumbprints
from firstlight.doctor.azure_names import by_thumbprint
from firstlight.doctor.causes import Fine, Found


def unknown(case: AzureCase) -> Found | Fine | None:
    if case.through_dps:
        return None
    identity = case.hub.value.identity.value
    if identity is not None:
        return Fine(f"{case.hub.value.host} has the device {identity.id}.")
    if case.hub.value.other_case.value:
        return None
    return Found(
        f"{case.hub.value.host} has no device {case.name}.",
        (f"firstlight push {case.device.file} --url INGEST_URL",),
        "Or let it register with the DPS, if its common name may be a registration id: --id-scope.",
    )


def other_case(case: AzureCase) -> Found | None:
    if case.through_dps or case.hub.value.identity.value is not None:
        return None
    other = case.hub.value.other_case.value
    if not other:
        return None
    return Found(
        f"The device connects as {case.name}; {case.hub.value.host} has {other}, and tells upper from lower case.",
        advice=f"Let the device use {other!r} as its device id; best are ids in lower case.",
    )


def other_kind(case: AzureCase) -> Found | None:
    """
    Registered with a key, or with nothing: a certificate does not count.
    """
    identity = _own(case)
    if identity is None or identity.kind in {BY_THUMBPRINT, BY_CA}:
        return None
    return Found(
        f"The hub knows {identity.id} by {identity.kind!r}, not by a certificate.",
        (by_thumbprint(case),),
    )


def other_thumbprint(case: AzureCase) -> Found | Fine | None:
    """
    The hub has the thumbprint of another certificate: this one was renewed, or the id is another device's.
    """
    identity = case.hub.value.identity.value
    if identity is None or identity.kind != BY_THUMBPRINT:
        return None
    if identity.thumbprints & thumbprints(case.device.certificate):
        return Fine(f"The hub knows {identity.id} by this certificate's thumbprint.")
    known = ", ".join(f"{thumbprint[:16]}…" for thumbprint in sorted(identity.thumbprints)) or "none"
    evidence = f"The hub knows {identity.id} by the thumbprint {known}, and this certificate's is "
    if case.through_dps:
        return Found(
            f"{evidence}{case.device.certificate.fingerprint[:16]}….",
            (f"az iot hub device-identity show {case.in_hub}",),
            "A renewed certificate: let the device register again before it connects, and DPS puts the new one there.",
            certain=False,
        )
    again = (
        "Was it renewed? Then let the device register with the DPS again, which puts the new one there. "
        if (case.dps.known and case.dps.known.assigned.known)
        else ""
    )
    return Found(
        f"{evidence}{case.device.certificate.fingerprint[:16]}….",
        (by_thumbprint(case),),
        f"{again}Two issuers may give one serial number: if it is another device, name devices by fingerprint.",
    )


def disabled(case: AzureCase) -> Found | Fine | None:
    identity = case.hub.value.identity.value
    if identity is None:
        return None
    if identity.enabled:
        return Fine(f"The device {identity.id} is enabled in the hub.")
    return Found(
        f"The hub has {identity.id} disabled.",
        (
            f"firstlight devices enable {shlex.quote(identity.id)} --cloud azure {case.at}",
            f"az iot hub device-identity update {case.in_hub} --status enabled",
        ),
        "No push and no registration enables it; an operator disabled it, so ask who and why first.",
    )


def refused_all_the_same(case: AzureCase) -> Found | Fine | None:
    """
    The device's own connection, which has the last word.
    """
    tried = case.connection
    if tried is None:
        return None
    if tried.online:
        return Fine(f"The device came online: {tried.detail}.")
    return Found(
        f"The device tried, and did not come online: {tried.detail}.",
        advice="If nothing stands above: the hub's quotas, its IP filter, or a change that is minutes old.",
    )


def _own(case: AzureCase) -> Identity | None:
    return None if case.through_dps else case.hub.value.identity.value
