"""
AWS Signature Version 4, in the request's headers, for one service of one region.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """
    What signs a request; `token` is empty for long-lived keys.
    """

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...

    @property
    def token(self) -> str: ...


def encoded_path(*segments: str) -> str:
    """
    Return the path of *segments*, each percent-encoded whole, so that a `/` or `:` in a name stays in it.
    """
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def encoded_query(parameters: Iterable[tuple[str, str]]) -> str:
    """
    Return the query string in the one order and spelling that is both sent and signed.
    """
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in pairs)


class Signer:
    """
    Signs requests; keeps the signing key of the day, so that a signature costs one HMAC.
    """

    def __init__(self, *, region: str, service: str) -> None:
        self._region = region
        self._service = service
        # Every service but S3 wants the path encoded once more than it is sent.
        self._encoded_again = service != "s3"
        self._key: tuple[str, str, bytes] = ("", "", b"")
        self._stamp: tuple[int, str] = (-1, "")

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        credentials: Credentials,
        at: float,
        digest: str = "",
    ) -> dict[str, str]:
        """
        Return *headers* with the date, the session token if any, and the authorization added.

        *path* is as `encoded_path` makes it: no empty and no dot segments.  *query* is as
        `encoded_query` makes it.  *headers* have lower-case names and include `host`; all of them
        are signed.  *at* is in seconds since the epoch.  *digest* is the SHA-256 of a body that is not at hand,
        64 hex digits.
        """
        moment = self._moment(int(at))
        signed = {**headers, "x-amz-date": moment}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        canonical = "\n".join(
            (
                method,
                quote(path, safe="/") if self._encoded_again else path,
                query,
                *(f"{name}:{' '.join(signed[name].split())}" for name in names),
                "",
                listed,
                digest or hashlib.sha256(body).hexdigest(),
            )
        )
        day = moment[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(credentials.secret_key, day), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _moment(self, second: int) -> str:
        if self._stamp[0] != second:
            self._stamp = (second, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second)))
        return self._stamp[1]

    def _key_of(self, secret: str, day: str) -> bytes:
        if self._key[:2] != (secret, day):
            key = ("AWS4" + secret).encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (secret, day, key)
        return self._key[2]
