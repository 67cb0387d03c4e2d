"""
New private keys, and the hash each signs with.
"""

from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firstlight.errors import UsageError

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_EXPONENT = 65537
_P256_BITS, _P384_BITS = 256, 384


class KeyKind(StrEnum):
    """
    The keys we issue: what AWS IoT and Azure accept of CAs and devices alike.
    """

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_4096 = "rsa-4096"


def new_key(kind: str = KeyKind.EC_P256) -> PrivateKey:
    """
    Return a new private key of *kind*, one of `KeyKind`.

    Raises:
        UsageError: there is no such kind.
    """
    match kind:
        case KeyKind.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.RSA_2048:
            return rsa.generate_private_key(_EXPONENT, 2048)
        case KeyKind.RSA_4096:
            return rsa.generate_private_key(_EXPONENT, 4096)
        case _:
            raise UsageError(f"No key kind {kind!r}.", hint=f"One of: {', '.join(KeyKind)}.")


def public_pem(key: PrivateKey | PublicKey) -> bytes:
    """
    Return the public half of *key* as PEM, what verifies a token or a signature made with it.
    """
    public = key if isinstance(key, PublicKey) else key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """
    Return the hash as strong as *key*; all three are among those AWS IoT accepts.
    """
    if isinstance(key, rsa.RSAPrivateKey) or key.curve.key_size <= _P256_BITS:
        return hashes.SHA256()
    return hashes.SHA384() if key.curve.key_size <= _P384_BITS else hashes.SHA512()
