"""
What AWS IoT refuses of a CA certificate, said before AWS is asked.
"""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.jitp.algorithms import TAKEN_IN_WORDS, refused_signature

_MIN_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_REISSUE = "Issue it again with basicConstraints CA:TRUE and keyUsage keyCertSign: firstlight ca create does."
_SIGNING_CA = "Register the CA whose key signs the devices' certificates, alone, and no other of its chain."


def load(data: bytes, now: datetime) -> Certificate:
    """
    Return the one CA certificate in *data*, PEM or DER, that AWS IoT would register at *now* (aware).

    Raises:
        CertificateError: there is none, there are several, or AWS would refuse it; one sentence says why.
    """
    found = certificates.load_all(data)
    if len(found) > 1:
        raise CertificateError(f"There are {len(found)} certificates here; AWS IoT takes one.", hint=_SIGNING_CA)
    require_registrable(found[0], now)
    return found[0]


def require_registrable(certificate: Certificate, now: datetime) -> None:
    """
    Return only if AWS IoT would register *certificate* as a CA at *now* (aware).

    Sources: the AWS IoT developer guide on CA certificates, X.509 client certificates, and the audit check
    CA_CERTIFICATE_KEY_QUALITY.

    Raises:
        CertificateError: it would not; one sentence says why.
    """
    _require_ca(certificate)
    _require_key_cert_sign(certificate)
    _require_strong_key(certificate)
    if signature := refused_signature(certificate):
        raise CertificateError(
            f"The CA certificate is signed with {signature}, which AWS IoT does not take.", hint=TAKEN_IN_WORDS
        )
    _require_valid(certificate, now)


def _require_ca(certificate: Certificate) -> None:
    if certificate.x509.version is x509.Version.v1:
        raise CertificateError("The certificate is X.509 version 1, which cannot say that it is a CA's.", hint=_REISSUE)
    try:
        constraints = certificate.x509.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as e:
        raise CertificateError(
            "The certificate is not a CA's: it has no basicConstraints extension.", hint=_REISSUE
        ) from e
    except ValueError as e:
        raise CertificateError("The extensions of the CA certificate are malformed.", hint=_REISSUE) from e
    if not constraints.ca:
        raise CertificateError(
            "The certificate is not a CA's but a device's or server's (basicConstraints CA:FALSE).", hint=_SIGNING_CA
        )


def _require_key_cert_sign(certificate: Certificate) -> None:
    try:
        usage = certificate.x509.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return  # without the extension every use is allowed (RFC 5280 4.2.1.3)
    if not usage.key_cert_sign:
        raise CertificateError(
            "The CA certificate may not sign certificates: its keyUsage lacks keyCertSign.", hint=_REISSUE
        )


def _require_strong_key(certificate: Certificate) -> None:
    try:
        key = certificate.x509.public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise CertificateError("The key of the CA certificate cannot be read or is of an unknown kind.") from e
    match key:
        case rsa.RSAPublicKey() if key.key_size >= _MIN_RSA_BITS:
            return
        case rsa.RSAPublicKey():
            found = f"RSA-{key.key_size}"
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return
        case ec.EllipticCurvePublicKey():
            found = f"on curve {key.curve.name}"
        case _:
            found = "neither RSA nor elliptic-curve"
    raise CertificateError(
        f"The key of the CA certificate is {found}; AWS IoT takes RSA-{_MIN_RSA_BITS} and longer, P-256, P-384, P-521."
    )


def _require_valid(certificate: Certificate, now: datetime) -> None:
    not_before, not_after = certificate.x509.not_valid_before_utc, certificate.x509.not_valid_after_utc
    if now < not_before:
        raise CertificateError(f"The CA certificate is not valid before {not_before:%Y-%m-%dT%H:%M:%SZ}.")
    if now > not_after:
        raise CertificateError(f"The CA certificate expired {not_after:%Y-%m-%dT%H:%M:%SZ}.")
