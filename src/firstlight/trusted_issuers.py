"""
The CAs whose devices are let in.
"""

from collections.abc import Iterable

from firstlight.certificates import Certificate
from firstlight.errors import CertificateError


class TrustedIssuers:
    """
    The issuer certificates whose devices are let in.

    Raises:
        CertificateError: one of them is no CA's.
    """

    def __init__(self, issuers: Iterable[Certificate]) -> None:
        self._by_subject: dict[bytes, list[Certificate]] = {}
        for issuer in issuers:
            if not issuer.is_ca:
                raise CertificateError(
                    f"Certificate {issuer.x509.subject.rfc4514_string()} is not a CA certificate and issues nothing."
                )
            if not issuer.may_sign:
                raise CertificateError(
                    f"Certificate {issuer.x509.subject.rfc4514_string()} may not sign certificates (keyUsage)."
                )
            self._by_subject.setdefault(issuer.x509.subject.public_bytes(), []).append(issuer)

    def require(self, certificate: Certificate) -> None:
        """
        Return only if one of the issuers signed *certificate*.

        Raises:
            CertificateError: none of them did.
        """
        for issuer in self._by_subject.get(certificate.x509.issuer.public_bytes(), ()):
            if certificate.is_issued_by(issuer):
                return
        raise CertificateError(
            "Certificate issuer is not trusted here.",
            hint="Add its CA certificate to the region's trusted_issuers if it should be.",
        )
