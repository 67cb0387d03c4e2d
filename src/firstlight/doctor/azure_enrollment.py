"""
Does the DPS take this device: an enrollment of its own, a group of its CA, and a hub to send it to?
"""

import shlex

from firstlight.doctor.azure_case import AzureCase, Dps, Enrollment
from firstlight.doctor.azure_chain import is_of
from firstlight.doctor.azure_trust import met, rungs
from firstlight.doctor.causes import Fine, Found


def individual_disabled(case: AzureCase) -> Found | Fine | None:
    dps = _dps(case)
    if dps is None or (own := dps.enrollment.value) is None:
        return None
    if own.enabled:
        return Fine(f"The individual enrollment {own.name} is enabled.")
    if _has_no_certificate(own):
        return Found(
            f"The individual enrollment {own.name} is disabled and has no certificate, as that of a retired device; it "
            "goes before every group.",
            (f"firstlight devices retire {shlex.quote(own.name)} --forget --yes --cloud azure {case.at}",),
            "That lets the device come back by itself: ask who retired it and why first.",
        )
    return Found(
        f"The individual enrollment {own.name} is disabled, and goes before every group.",
        (_update(case, own, "--provisioning-status enabled"),),
        "Somebody disabled it: ask who did it and why first.",
    )


def of_another_certificate(case: AzureCase) -> Found | None:
    dps = _dps(case)
    if dps is None or (own := dps.enrollment.value) is None or own.thumbprint == case.device.certificate.fingerprint:
        return None
    if _has_no_certificate(own):
        if not own.enabled:
            # that of a retired device is a cause before this one
            return None
        return Found(
            f"The individual enrollment {own.name} is not by a certificate, and goes before every group.",
            (f"az iot dps enrollment delete {case.in_dps} --enrollment-id {own.name}",),
            "Another device may use it by its key, or its TPM: then issue this one a certificate of another name.",
        )
    return Found(
        f"The individual enrollment {own.name} is of the certificate {own.thumbprint[:16] or 'of a CA'}…, and goes "
        "before every group.",
        (_update(case, own, f"--certificate-path {case.device.file}"),),
        "Or delete it, if a group is to take the device: az iot dps enrollment delete.",
    )


def no_group(case: AzureCase) -> Found | Fine | None:
    found = _of_group(case)
    if found is None:
        return None
    dps, group = found
    if group is not None:
        return Fine(f"The enrollment group {group.name} is for devices of its CA.")
    cas = met(case)
    if not cas:
        # what leads to no CA is a cause before this one
        return None
    ca = cas[-1].name
    return Found(
        f"No enrollment group of {dps.name} is for devices that {case.device.issuer}, or a CA above it, signed.",
        (f"firstlight azure enrollment-group create {ca} --ca {ca} {case.at}",),
    )


def group_disabled(case: AzureCase) -> Found | None:
    found = _of_group(case)
    if found is None or found[1] is None or found[1].enabled:
        return None
    name = found[1].name
    return Found(
        f"The enrollment group {name} is disabled.",
        (
            f"az iot dps enrollment-group update {case.in_dps} --enrollment-id {name} --provisioning-status enabled",
            f"firstlight azure enrollment-group list {case.at}",
        ),
    )


def not_linked(case: AzureCase) -> Found | Fine | None:
    """
    No hub is linked, or not the one that the enrollment asks for.
    """
    dps = _dps(case)
    if dps is None:
        return None
    linked = dps.hubs.value
    if not linked:
        return Found(f"No hub is linked to {dps.name}.", (f"firstlight azure deploy {case.at}",))
    enrollment = dps.enrollment.value or (_of_group(case) or (dps, None))[1]
    if enrollment is not None and enrollment.hub and enrollment.hub not in linked:
        return Found(
            f"The enrollment {enrollment.name} asks for {enrollment.hub}, which is not linked to {dps.name}.",
            (f"firstlight azure deploy {case.at}", f"az iot dps linked-hub list {case.in_dps}"),
        )
    return Fine(f"{dps.name} sends devices to {', '.join(linked)}.")


def _has_no_certificate(own: Enrollment) -> bool:
    return not (own.thumbprint or own.ca_name or own.subject)


def _update(case: AzureCase, own: Enrollment, what: str) -> str:
    return f"az iot dps enrollment update {case.in_dps} --enrollment-id {own.name} {what}"


def _dps(case: AzureCase) -> Dps | None:
    return case.dps.value if case.through_dps else None


def _of_group(case: AzureCase) -> tuple[Dps, Enrollment | None] | None:
    """
    Return the DPS and the group of the nearest CA above the device; None when an enrollment of its own decides.
    """
    dps = _dps(case)
    if dps is None or dps.enrollment.value is not None:
        return None
    groups = dps.groups.value
    for rung in rungs(case):
        for group in groups:
            if is_of(group, rung, dps.cas.value):
                return dps, group
    return dps, None
