"""
What no cloud takes, whatever it knows: a certificate out of its time, or of a kind that is refused.
"""

from datetime import datetime
from typing import Protocol

from firstlight.doctor.causes import Fine, Found
from firstlight.doctor.device import Device
from firstlight.errors import CertificateError

_CLOCK = "This machine's clock says {now}; is it right?"
_ISSUE_AGAIN = "Issue the device a new certificate and provision that one."


class HasDevice(Protocol):
    """
    A case of either cloud.
    """

    @property
    def device(self) -> Device: ...


def expired(case: HasDevice) -> Found | None:
    certificate, now = case.device.certificate, case.device.now
    if now <= certificate.x509.not_valid_after_utc:
        return None
    return Found(
        f"The certificate expired {_time(certificate.x509.not_valid_after_utc)}.",
        advice=f"{_ISSUE_AGAIN} {_CLOCK.format(now=_time(now))}",
    )


def not_yet_valid(case: HasDevice) -> Found | None:
    certificate, now = case.device.certificate, case.device.now
    if now >= certificate.x509.not_valid_before_utc:
        return None
    return Found(
        f"The certificate is not valid before {_time(certificate.x509.not_valid_before_utc)}.",
        advice=_CLOCK.format(now=_time(now)),
    )


def unusable(case: HasDevice) -> Found | Fine | None:
    """
    A CA's certificate, a weak key, a signature nobody takes; its dates are other causes' business.
    """
    certificate = case.device.certificate
    within = min(max(case.device.now, certificate.x509.not_valid_before_utc), certificate.x509.not_valid_after_utc)
    try:
        certificate.require_device_leaf(within)
    except CertificateError as e:
        return Found(e.message, advice=e.hint or _ISSUE_AGAIN)
    if within != case.device.now:
        return None
    until = _time(certificate.x509.not_valid_after_utc)
    return Fine(f"The certificate is a device's ({case.device.subject}) and valid until {until}.")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
