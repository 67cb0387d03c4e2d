"""
Signature algorithms that AWS IoT takes, of CA and device certificates alike.
"""

from cryptography import x509
from cryptography.x509.oid import SignatureAlgorithmOID

from firstlight.certificates import Certificate

# "Certificate signing algorithms supported by AWS IoT", AWS IoT developer guide, X.509 client certificates
_TAKEN = {
    SignatureAlgorithmOID.RSA_WITH_SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512,
    SignatureAlgorithmOID.DSA_WITH_SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
}
TAKEN_IN_WORDS = "It takes RSA (PKCS #1 v1.5) and ECDSA with SHA-256, SHA-384 or SHA-512, and DSA with SHA-256."


def refused_signature(certificate: Certificate) -> str:
    """
    Return the name of the algorithm *certificate* is signed with if AWS IoT does not take it, else "".
    """
    oid = certificate.x509.signature_algorithm_oid
    return "" if oid in _TAKEN else _name(oid)


def _name(oid: x509.ObjectIdentifier) -> str:
    name = oid._name  # noqa: SLF001 -- the library's only name for an OID
    return oid.dotted_string if name == "Unknown OID" else str(name)
