"""
Which registered CA signed a certificate.
"""

from collections.abc import Iterable

from firstlight.certificates import Certificate
from firstlight.local.aws_iot.registry import Issuer


def signer(certificate: Certificate, issuers: Iterable[Issuer]) -> Issuer | None:
    """
    Return the one of *issuers* whose key signed *certificate*; CAs of one name are told apart by their keys.
    """
    # a root has signed itself, and is no device for that
    others = (issuer for issuer in issuers if issuer.id != certificate.fingerprint)
    return next((issuer for issuer in others if certificate.is_issued_by(issuer.certificate)), None)
