"""
How a pusher proves who it is: a token signed for each push, or HTTP Basic.
"""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from firstlight.errors import UsageError
from firstlight.pki import PrivateKey

# The `Authorization` header's value, asked for before each request.
Authorization = Callable[[], str]

# Long enough for a slow push and a clock that is off; worthless soon after.
_LIFETIME = timedelta(minutes=5)
_MIN_RSA_BITS = 2048


def bearer(key: PrivateKey, audience: str, *, now: Callable[[], datetime]) -> Authorization:
    """
    Return what signs a JWT (RFC 7519) for *audience*, living five minutes: ES256 or RS256, as *key* is.

    Raises:
        UsageError: the service's tokens cannot be signed with such a key, or *audience* is empty.
    """
    if not audience:
        raise UsageError("A token needs an audience.", hint="It is the AWS account id, or what the endpoint was told.")
    algorithm = _algorithm(key)

    def sign() -> str:
        issued = now()
        claims = {"aud": audience, "iat": issued, "exp": issued + _LIFETIME}
        return f"Bearer {jwt.encode(claims, key, algorithm=algorithm)}"

    return sign


def basic(user: str, password: str) -> Authorization:
    """
    Return what answers HTTP Basic credentials (RFC 7617).

    Raises:
        UsageError: *user* is empty or has a colon, or the password is empty.
    """
    if not user or ":" in user or not password:
        raise UsageError("HTTP Basic needs a user without a colon, and a password.")
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return lambda: f"Basic {credentials}"


def _algorithm(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _MIN_RSA_BITS:
            raise UsageError(f"The token key is RSA-{key.key_size}; at least RSA-{_MIN_RSA_BITS} is needed.")
        return "RS256"
    if key.curve.name == "secp256r1":
        return "ES256"
    raise UsageError(f"A token key on {key.curve.name} is not what services use.", hint="Use EC P-256, or RSA.")
