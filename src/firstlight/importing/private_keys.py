"""
Private keys in the place of certificates: they must not get into a report.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

_PEM = b"PRIVATE KEY-----"


def holds_private_key(data: bytes) -> bool:
    """
    Whether *data* has a private key in it, as PEM, or is one as DER, encrypted or not.
    """
    if _PEM in data:
        return True
    try:
        serialization.load_der_private_key(data, password=None)
    except TypeError:
        return True  # it is encrypted
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
