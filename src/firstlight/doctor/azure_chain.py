"""
From a device's certificate up to the CA certificates that the cloud knows, through what the device sends.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from firstlight.certificates import Certificate
from firstlight.doctor.azure_case import Enrollment, Uploaded

_MAX_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Rung:
    """
    One CA above the device: itself, or its names alone where the cloud shows no more.
    """

    subject: str
    issuer: str
    certificate: Certificate | None = None

    @property
    def is_root(self) -> bool:
        return _same(self.subject, self.issuer)

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint if self.certificate else ""


def path(
    leaf: Certificate, sent: Iterable[Certificate], cas: Iterable[Uploaded], groups: Iterable[Enrollment]
) -> tuple[Rung, ...]:
    """
    Return the CAs above *leaf*, the nearest first, as far as what was *sent* and what the cloud knows have them.
    """
    known = [
        *(_rung(certificate) for certificate in sent),
        *(_rung(ca.certificate) if ca.certificate else Rung(ca.subject, "") for ca in cas),
        *(Rung(group.subject, group.issuer) for group in groups if group.subject),
    ]
    steps = [_rung(leaf)]
    while len(steps) <= _MAX_LENGTH:
        above = next((rung for rung in known if rung not in steps and _is_above(rung, steps[-1])), None)
        if above is None:
            break
        steps.append(above)
    return tuple(steps[1:])


def is_this(ca: Uploaded, rung: Rung) -> bool:
    """
    Return whether the uploaded *ca* is *rung*: by its certificate, or by its name where only that is known.
    """
    if ca.certificate and rung.certificate:
        return ca.certificate == rung.certificate
    return _same(ca.subject, rung.subject)


def is_of(group: Enrollment, rung: Rung, cas: Iterable[Uploaded]) -> bool:
    """
    Return whether the enrollment *group* is for what *rung* signed.
    """
    if group.ca_name:
        return any(ca.name == group.ca_name and is_this(ca, rung) for ca in cas)
    if rung.thumbprint and group.thumbprint:
        return rung.thumbprint == group.thumbprint
    return _same(group.subject, rung.subject)


def _rung(certificate: Certificate) -> Rung:
    found = certificate.x509
    return Rung(found.subject.rfc4514_string(), found.issuer.rfc4514_string(), certificate)


def _is_above(upper: Rung, lower: Rung) -> bool:
    if upper.certificate and lower.certificate:
        return lower.certificate.is_issued_by(upper.certificate)
    return _same(upper.subject, lower.issuer)


def _same(one: str, other: str) -> bool:
    """
    Return whether two distinguished names are the same: Azure writes them in another order than RFC 4514.
    """
    first, second = (sorted(part.strip().lower() for part in name.split(",")) for name in (one, other))
    return bool(one) and first == second
