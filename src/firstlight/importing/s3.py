"""
Objects of S3, to and from files, over plain signed requests: a Lambda of ours carries no boto3.

Shapes: botocore's service model `s3/2006-03-01`, GetObject and PutObject.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from firstlight.errors import ManifestError, RegistryError, UnfinishedError
from firstlight.importing.objects import Object
from firstlight.registries.aws_http import endpoint_of
from firstlight.registries.sigv4 import Credentials, Signer

_PIECE = 2**20
_ATTEMPTS = 4
# Seconds: nothing arriving for so long, and between two attempts.
_SILENCE = 30.0
_PAUSE = 0.5
_CSV = {"content-type": "text/csv; charset=utf-8"}
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    of: Object
    # SHA-256 of the body, hexadecimal
    digest: str = _NO_BODY
    headers: Mapping[str, str] = field(default_factory=dict)
    body: IO[bytes] | None = None


_Attempt = Callable[[aiohttp.ClientSession], Awaitable[None]]


class S3:
    """
    The objects of buckets in *region*.  With *endpoint_url*, as of the laptop's AWS, buckets are in the path.

    *credentials* may raise FirstlightErrors.
    """

    def __init__(self, *, region: str, credentials: Callable[[], Credentials], endpoint_url: str | None = None) -> None:
        self._region = region
        self._credentials = credentials
        self._endpoint_url = endpoint_url
        self._signer = Signer(region=region, service="s3")

    async def download(self, of: Object, path: Path, *, limit: int) -> None:
        """
        Write the object to *path*.

        Raises:
            ManifestError: it is larger than *limit* bytes, or is not there.
            RegistryError: S3 refuses it, or fails again and again.
        """

        async def attempt(session: aiohttp.ClientSession) -> None:
            async with self._sent(session, _Request("GET", of)) as response:
                if (response.content_length or 0) > limit:
                    raise _too_large(of, limit)
                with path.open("wb") as file:
                    async for piece in response.content.iter_chunked(_PIECE):
                        if file.tell() + len(piece) > limit:
                            raise _too_large(of, limit)
                        file.write(piece)

        await _repeated(attempt, f"Reading {of.key}")

    async def upload(self, of: Object, path: Path) -> None:
        """
        Write the file at *path* to the object, as CSV.

        Raises:
            RegistryError: S3 refuses it, or fails again and again.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()

        async def attempt(session: aiohttp.ClientSession) -> None:
            with path.open("rb") as file:
                async with self._sent(session, _Request("PUT", of, digest, _CSV, file)):
                    pass

        await _repeated(attempt, f"Writing {of.key}")

    @asynccontextmanager
    async def _sent(self, session: aiohttp.ClientSession, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        origin, host, path = self._place(request.of)
        headers = self._signer.sign(
            request.method,
            path,
            "",
            {**request.headers, "host": host, "x-amz-content-sha256": request.digest},
            b"",
            credentials=await asyncio.to_thread(self._credentials),
            at=time.time(),
            digest=request.digest,
        )
        # encoded: what was encoded on purpose must arrive as it was signed
        target = URL(origin + path, encoded=True)
        async with session.request(
            request.method, target, headers=headers, data=request.body, allow_redirects=False
        ) as response:
            _require_good(response, request)
            yield response

    def _place(self, of: Object) -> tuple[str, str, str]:
        """
        Return the origin, the host as the header has it, and the path.
        """
        path = "/" + quote(of.key, safe="/")
        if self._endpoint_url:
            parts = urlsplit(self._endpoint_url)
            within = f"{parts.path.rstrip('/')}/{quote(of.bucket, safe='')}"
            return f"{parts.scheme}://{parts.netloc}", parts.netloc, within + path
        host = f"{of.bucket}.{urlsplit(endpoint_of('s3', self._region)).netloc}"
        return f"https://{host}", host, path


async def _repeated(attempt: _Attempt, doing: str) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE, sock_connect=_SILENCE)
    async with aiohttp.ClientSession(timeout=timeout, skip_auto_headers=("accept", "accept-encoding")) as session:
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                await attempt(session)
            except (aiohttp.ClientError, TimeoutError, UnfinishedError) as e:
                if not left:
                    raise UnfinishedError(f"{doing} failed: S3 did not answer in full.", hint="Try again.") from e
                await asyncio.sleep(_PAUSE * 2 ** (_ATTEMPTS - 1 - left))
            else:
                return


def _require_good(response: aiohttp.ClientResponse, request: _Request) -> None:
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise UnfinishedError("S3 failed.")
    if response.status == HTTPStatus.NOT_FOUND:
        raise ManifestError(f"{request.of.key} is not in the bucket any more.")
    if response.status != HTTPStatus.OK:
        raise RegistryError(f"S3 refused {request.method} of {request.of.key} ({response.status}).")


def _too_large(of: Object, limit: int) -> ManifestError:
    return ManifestError(f"{of.key} is larger than {limit} bytes.", hint="Use `firstlight import`, or split it.")
