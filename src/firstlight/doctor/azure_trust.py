"""
Where a chain decides: does it lead to a CA certificate that the DPS, or the hub, holds and has seen proven?
"""

from typing import NamedTuple

from firstlight.doctor.azure_case import BY_CA, AzureCase, Enrollment, Uploaded
from firstlight.doctor.azure_chain import Rung, is_this, path
from firstlight.doctor.causes import Fine, Found


class _Anchor(NamedTuple):
    """
    Who judges the chain, and by which CA certificates.
    """

    place: str
    cas: tuple[Uploaded, ...]
    groups: tuple[Enrollment, ...] = ()


def chain_not_sent(case: AzureCase) -> Found | None:
    """
    Between its certificate and every CA that is known something is missing.
    """
    anchor = _anchor(case)
    if anchor is None or not anchor.cas or met(case):
        return None
    above = rungs(case)
    if above and above[-1].is_root:
        return None
    known = "; ".join(ca.subject for ca in anchor.cas)
    if case.device.chain:
        evidence = f"The chain that the device sends ends below {above[-1].issuer if above else case.device.issuer}"
    else:
        evidence = f"The device sends its own certificate alone, and its issuer is {case.device.issuer}"
    return Found(
        f"{evidence}, which is no CA certificate of {anchor.place} (they are {known}).",
        (
            f"cat {case.device.file} intermediate.pem > chain.pem",
            f"firstlight doctor --cloud azure --cert chain.pem {case.at}",
        ),
        "Let the device send every intermediate behind its own certificate, up to a CA that is uploaded; if none of "
        f"those is above it, upload its CA: firstlight azure ca upload ca.pem {case.at}",
    )


def not_uploaded(case: AzureCase) -> Found | None:
    anchor = _anchor(case)
    if anchor is None or met(case):
        return None
    above = rungs(case)
    if anchor.cas and not (above and above[-1].is_root):
        return None
    top = above[-1].subject if above else case.device.issuer
    return Found(
        f"The chain leads to {top}, which is no CA certificate of {anchor.place}.",
        (f"firstlight azure ca upload ca.pem {case.at}",),
        "With --key it is proven that you hold its key. Or push the device: a thumbprint needs no CA.",
    )


def not_verified(case: AzureCase) -> Found | Fine | None:
    anchor = _anchor(case)
    if anchor is None or not (found := met(case)):
        return None
    verified = [ca for ca in found if ca.verified]
    if verified:
        return Fine(f"The chain leads to {verified[0].name} of {anchor.place}, which is verified.")
    return Found(
        f"The chain leads to {found[0].name} of {anchor.place}, which is not verified.",
        (f"firstlight azure ca upload ca.pem {case.at}",),
        "Without --key on your word, with the CA's key by proof of possession; the upload goes on where it was.",
    )


def out_of_date(case: AzureCase) -> Found | None:
    """
    A CA between the device and the one that is verified has expired, or is not valid yet.
    """
    if _anchor(case) is None:
        return None
    for rung in rungs(case):
        found = rung.certificate and rung.certificate.x509
        if found and not found.not_valid_before_utc <= case.device.now <= found.not_valid_after_utc:
            return Found(
                f"The CA certificate {rung.subject} is valid from {found.not_valid_before_utc:%Y-%m-%d} to "
                f"{found.not_valid_after_utc:%Y-%m-%d} only.",
                (f"firstlight azure ca upload ca.pem {case.at}",),
                "Upload the CA's new certificate, and let devices send that one.",
            )
    return None


def rungs(case: AzureCase) -> tuple[Rung, ...]:
    """
    Return the CAs above the device, the nearest first, for whoever judges its chain.
    """
    anchor = _anchor(case)
    if anchor is None:
        return ()
    return path(case.device.certificate, case.device.chain, anchor.cas, anchor.groups)


def met(case: AzureCase) -> list[Uploaded]:
    """
    Return the CA certificates that the chain leads to, the nearest first.
    """
    anchor = _anchor(case)
    return [] if anchor is None else [ca for rung in rungs(case) for ca in anchor.cas if is_this(ca, rung)]


def _anchor(case: AzureCase) -> _Anchor | None:
    if case.through_dps:
        dps = case.dps.value
        # an enrollment of its own compares the certificate, and no chain
        if dps is None or dps.enrollment.value is not None:
            return None
        return _Anchor(dps.name, dps.cas.value, dps.groups.value)
    identity = case.hub.value.identity.value
    if identity is None or identity.kind != BY_CA:
        return None
    return _Anchor(case.hub.value.host, case.hub.value.cas.value)
