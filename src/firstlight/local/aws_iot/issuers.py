"""
Which registered CA signed a certificate.
"""

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from firstlight.certificates import Certificate
from firstlight.local.aws_iot.registry import Issuer


def signer(certificate: Certificate, issuers: Iterable[Issuer]) -> Issuer | None:
    """
    Return the one of *issuers* whose key signed *certificate*; CAs of one name are told apart by their keys.
    """
    name = certificate.x509.issuer.public_bytes()
    for issuer in issuers:
        # a root has signed itself, and is no device for that
        if issuer.certificate.x509.subject.public_bytes() != name or issuer.id == certificate.fingerprint:
            continue
        try:
            certificate.x509.verify_directly_issued_by(issuer.certificate.x509)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return issuer
    return None
