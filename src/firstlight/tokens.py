"""
Who may call: bearer tokens (JWT) and HTTP Basic.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from firstlight.errors import SettingsError, UnauthorizedError

# Seconds two honest clocks may differ.
CLOCK_SKEW = 60
# A token longer than this is refused unread; a service's is about 300 characters.
_MAX_TOKEN = 8192
_MIN_RSA_BITS = 2048
_ALGORITHM_OF_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class Guard(Protocol):
    """
    Decides whether a caller may come in.
    """

    @property
    def challenge(self) -> str:
        """
        The `WWW-Authenticate` header of a refusal (RFC 9110, 11.6.1).
        """

    async def require(self, authorization: str | None) -> None:
        """
        Return only if the `Authorization` header proves a caller.

        Raises:
            UnauthorizedError: it does not.
            KeyUnavailableError: it cannot be told just now.
        """


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """
    A public key with the only algorithms (RFC 7518) that may be used with it.
    """

    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    algorithms: tuple[str, ...]

    @classmethod
    def from_pem(cls, pem: bytes) -> "VerificationKey":
        """
        Raises:
            SettingsError: *pem* is not a public key that can verify tokens.
        """
        if b"PRIVATE KEY" in pem:
            raise SettingsError(
                "The token key is a private key.", hint="Give the service's public key, and treat this one as leaked."
            )
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as e:
            raise SettingsError(
                "The token key is not a public key in PEM.", hint="It begins with -----BEGIN PUBLIC KEY-----."
            ) from e
        match key:
            case ec.EllipticCurvePublicKey() if key.curve.name in _ALGORITHM_OF_CURVE:
                return cls(key, (_ALGORITHM_OF_CURVE[key.curve.name],))
            case rsa.RSAPublicKey() if key.key_size >= _MIN_RSA_BITS:
                return cls(key, ("RS256", "RS384", "RS512"))
            case ed25519.Ed25519PublicKey():
                return cls(key, ("EdDSA",))
            case _:
                raise SettingsError(
                    "The token key is too weak or of an unknown kind.", hint="EC P-256 is what Cloud ID services use."
                )


class KeySource(Protocol):
    """
    Where the verification key comes from.
    """

    async def key(self) -> VerificationKey:
        """
        Raises:
            KeyUnavailableError: it cannot be had just now.
        """


@dataclass(frozen=True, slots=True)
class FixedKey:
    """
    A key that never changes.
    """

    fixed: VerificationKey

    async def key(self) -> VerificationKey:
        return self.fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """
    Lets in whoever bears a JWT (RFC 7519) for *audience*, signed by the service.

    The audience is the only thing that tells one customer of the service from another, so a
    token without it is refused, as is one without `exp` or `iat`, or believed for longer than
    *max_lifetime* seconds.
    """

    keys: KeySource
    audience: str
    max_lifetime: int = 86_400

    @property
    def challenge(self) -> str:
        return "Bearer"

    async def require(self, authorization: str | None) -> None:
        scheme, credentials = _split(authorization)
        if scheme != "bearer":
            raise UnauthorizedError("Authorization Header must contain Bearer Token")
        key = await self.keys.key()
        if len(credentials) > _MAX_TOKEN:
            raise UnauthorizedError("Cannot verify and decode token: it is too long.")
        try:
            claims = jwt.decode(
                credentials,
                key.key,
                algorithms=list(key.algorithms),
                audience=self.audience,
                leeway=CLOCK_SKEW,
                options={"require": ["aud", "exp", "iat"]},
            )
            lifetime = claims["exp"] - claims["iat"]
        except jwt.PyJWTError as e:
            raise UnauthorizedError(f"Cannot verify and decode token: {_cause(e)}.") from e
        except (ValueError, TypeError, OverflowError, RecursionError) as e:
            raise UnauthorizedError("Cannot verify and decode token: it is malformed.") from e
        if lifetime > self.max_lifetime:
            raise UnauthorizedError(
                f"Cannot verify and decode token: it lives longer than {self.max_lifetime} s (exp - iat)."
            )


@dataclass(frozen=True, slots=True)
class Basic:
    """
    Lets in whoever knows *credentials*, "user:password" (RFC 7617), compared in constant time.
    """

    credentials: str = field(repr=False)

    @property
    def challenge(self) -> str:
        return 'Basic realm="firstlight", charset="UTF-8"'

    async def require(self, authorization: str | None) -> None:
        scheme, encoded = _split(authorization)
        if scheme != "basic":
            raise UnauthorizedError("Authorization Header must contain Basic credentials")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as e:
            raise UnauthorizedError("Cannot decode Basic credentials") from e
        # Digests have one length, so not even the length of the right answer can be measured.
        if not hmac.compare_digest(_digest(given), _digest(self.credentials.encode())):
            raise UnauthorizedError("Wrong user or password")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """
    Lets in whom one of *guards* lets in; each knows its own `Authorization` scheme.
    """

    by_scheme: dict[str, Guard]

    @property
    def challenge(self) -> str:
        return ", ".join(guard.challenge for guard in self.by_scheme.values())

    async def require(self, authorization: str | None) -> None:
        scheme, _ = _split(authorization)
        guard = self.by_scheme.get(scheme)
        if guard is None:
            wanted = " or ".join(s.capitalize() for s in self.by_scheme)
            raise UnauthorizedError(f"Authorization Header must contain {wanted}")
        await guard.require(authorization)


def _split(authorization: str | None) -> tuple[str, str]:
    if not authorization:
        raise UnauthorizedError("Missing Authorization Header")
    words: Sequence[str] = authorization.split()
    if len(words) != 2:  # noqa: PLR2004 -- a scheme and its credentials
        raise UnauthorizedError("Token invalid")
    return words[0].lower(), words[1]


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


_CAUSES: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAlgorithmError: "it is not signed with the key's algorithm",
    jwt.InvalidSignatureError: "its signature is not the service's",
}


def _cause(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return _CAUSES.get(type(error), "it is malformed")
