"""
From a device's certificate up to a CA that lets it in, through what the device sent.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import CaCertificate

_MAX_LENGTH = 10


def issuers(leaf: Certificate, sent: Iterable[Certificate], known: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """
    Return the CA certificates above *leaf*, the nearest first, as far as *known* and *sent* have them.

    Every one has signed the one below it and may sign certificates at all.
    """
    candidates = [*known, *sent]
    path = [leaf]
    while len(path) <= _MAX_LENGTH:
        above = next((c for c in candidates if c not in path and _may_sign(c) and path[-1].is_issued_by(c)), None)
        if above is None:
            break
        path.append(above)
    return tuple(path[1:])


def require_verified(
    leaf: Certificate, path: Sequence[Certificate], cas: Collection[CaCertificate], *, of: str, now: datetime
) -> CaCertificate:
    """
    Return the verified one of *cas* that *path*, from `issuers`, reaches first.

    Raises:
        SessionError: it reaches none, or goes through a CA certificate that is out of its validity at *now*.
    """
    for at, certificate in enumerate(path):
        met = [ca for ca in cas if ca.certificate == certificate]
        verified = next((ca for ca in met if ca.verified), None)
        if verified is not None:
            for passed in path[: at + 1]:
                require_dates(passed, now)
            return verified
    raise _not_reached(leaf, path, cas, of)


def require_dates(certificate: Certificate, now: datetime) -> None:
    """
    Raises:
        SessionError: *certificate* is not valid at *now*.
    """
    if not certificate.x509.not_valid_before_utc <= now <= certificate.x509.not_valid_after_utc:
        raise SessionError(
            f"The certificate {_name(certificate)} is valid from {certificate.x509.not_valid_before_utc:%Y-%m-%d} "
            f"to {certificate.x509.not_valid_after_utc:%Y-%m-%d} only.",
            reason=Why.DATES,
        )


def _not_reached(
    leaf: Certificate, path: Sequence[Certificate], cas: Collection[CaCertificate], of: str
) -> SessionError:
    unverified = next((ca for ca in cas if ca.certificate in path), None)
    if unverified is not None:
        return SessionError(
            f"The chain ends in the CA certificate {unverified.name!r} of {of}, which is not verified.",
            reason=Why.CA_UNVERIFIED,
            hint="Prove possession of its key, or mark it verified on upload.",
        )
    top = path[-1] if path else leaf
    if top.is_issued_by(top):
        return SessionError(
            f"The chain ends in {_name(top)}, which is no CA certificate of {of}.",
            reason=Why.CA_UNKNOWN,
            hint="Upload and verify the CA certificate, or register the device by its thumbprint.",
        )
    sent = "only its own certificate was sent, and" if top is leaf else "the chain is incomplete:"
    return SessionError(
        f"CA certificate not found: {sent} the issuer {top.x509.issuer.rfc4514_string()!r} of {_name(top)} is no CA "
        f"certificate of {of}.",
        reason=Why.CHAIN,
        hint="Send the intermediates behind the device's certificate, up to a verified CA.",
    )


def _may_sign(certificate: Certificate) -> bool:
    try:
        return certificate.is_ca
    except ValueError:
        # its extensions are malformed
        return False


def _name(certificate: Certificate) -> str:
    return repr(certificate.x509.subject.rfc4514_string())
