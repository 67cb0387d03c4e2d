"""
Access tokens of the laptop's Entra ID: signed by a key of its own, told apart by audience.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.world import World

LOGIN_HOST = "login.microsoftonline.com"
LIFETIME = 3600  # seconds, about what Entra ID gives

# Entra ID signs RS256; nobody but us reads these, and this key is made in no time.
ALGORITHM = "ES256"

MANAGEMENT = "https://management.azure.com"
HUB = "https://iothubs.azure.net"
DPS = "https://azure-devices-provisioning.net"
STORAGE = "https://storage.azure.com"
AUDIENCES = (MANAGEMENT, HUB, DPS, STORAGE)


class TokenRefusedError(Exception):
    """
    The sentence says what is wrong with the token; `code` is Azure Resource Manager's word for it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Tokens:
    """
    Issues tokens for the principals of *world* and believes only those.
    """

    def __init__(self, world: World, *, now: Callable[[], datetime]) -> None:
        self._world = world
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def issuer(self) -> str:
        return f"https://{LOGIN_HOST}/{self._world.tenant}/v2.0"

    def keys(self) -> dict[str, Any]:
        """
        Return the JSON Web Key Set.
        """
        key = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": "laptop", "use": "sig"}]}

    def issue(self, principal: Principal, audience: str, *, lifetime: int = LIFETIME) -> str:
        """
        Return a token of *principal* for the API *audience*; it ends in *lifetime* seconds.
        """
        now = int(self._now().timestamp())
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "appid": principal.client_id,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self._world.tenant,
            "idtyp": "app",
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": "laptop"})

    def ends(self) -> str:
        """
        Return when a token issued now ends, in seconds since 1970 as text.
        """
        return str(int(self._now().timestamp()) + LIFETIME)

    def principal(self, header: str, *audiences: str) -> Principal:
        """
        Return who the `Authorization` *header* speaks for.

        Raises:
            TokenRefusedError: it is missing, not ours, for another API, or over.
        """
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefusedError(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        try:
            claims = jwt.decode(
                token.strip(),
                self._key.public_key(),
                [ALGORITHM],
                # by the clock given, below
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError as e:
            raise TokenRefusedError("InvalidAuthenticationToken", "The access token is invalid.") from e
        if claims["exp"] <= self._now().timestamp():
            raise TokenRefusedError("ExpiredAuthenticationToken", "The access token expiry is in the past.")
        if claims["aud"].rstrip("/") not in audiences:
            raise TokenRefusedError(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. "
                f"It should exactly match one of the allowed audiences '{', '.join(audiences)}'.",
            )
        known = self._world.directory.by_object(claims["oid"])
        if known is None:
            raise TokenRefusedError("InvalidAuthenticationToken", "The principal of the access token does not exist.")
        return known
