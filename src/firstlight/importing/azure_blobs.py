"""
Blobs of an Azure Storage account, to and from files, a megabyte at a time: a function has little memory.

REST: Get Blob with a range, Put Block, Put Block List.
"""

import asyncio
import base64
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from firstlight.errors import ManifestError, RegistryError
from firstlight.importing.objects import Object
from firstlight.queues.azure_storage_calls import MissingError, RefusedError, StorageCalls
from firstlight.registries.azure_environment import proxy_for, trusted_cas
from firstlight.settings import Settings

READER, WRITER = "Storage Blob Data Reader", "Storage Blob Data Contributor"
_PIECE = 2**20
# Seconds for one piece, repetitions included.
_PATIENCE = 60.0
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")
_EMPTY = "InvalidRange"


class AzureBlobs:
    """
    The blobs of the account at *host*, as in contoso.blob.core.windows.net; an object's key is `container/name`, and
    its bucket nothing: an account is what a client is for.
    """

    def __init__(
        self, host: str, *, credential: AsyncTokenCredential, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        self._calls = StorageCalls(host, credential=credential, ca_file=ca_file, proxy=proxy)

    async def download(self, of: Object, path: Path, *, limit: int) -> None:
        """
        See `firstlight.importing.objects.Objects`.

        Raises:
            ManifestError: it is larger than *limit* bytes, or is not there, or no blob has such a name.
            RegistryError: the account refuses it, or fails again and again.
        """
        source = _path(of)
        with path.open("wb") as file:
            at, total, etag = 0, 1, ""
            while at < total:
                headers = {"x-ms-range": f"bytes={at}-{at + _PIECE - 1}"} | ({"If-Match": etag} if etag else {})
                try:
                    answer = await self._calls.call("GET", source, headers=headers, role=READER, deadline=_soon())
                except MissingError as e:
                    raise ManifestError(f"{of.key} is not there any more.") from e
                except RefusedError as e:
                    if e.reason == _EMPTY and not at:
                        return
                    raise
                total, etag = _total(answer.headers.get("Content-Range", "")), answer.headers.get("ETag", "")
                if total > limit:
                    raise ManifestError(
                        f"{of.key} is larger than {limit} bytes.", hint="Use `firstlight import`, or split it."
                    )
                file.write(answer.body)
                at += len(answer.body)

    async def upload(self, of: Object, path: Path) -> None:
        """
        See `firstlight.importing.objects.Objects`; the blob is there whole or not at all.

        Raises:
            ManifestError: no blob has such a name.
            RegistryError: the account refuses it, or fails again and again.
        """
        target, blocks = _path(of), list[str]()
        # Of our own: whoever writes the same blob just now must not have half of ours in it, nor we of theirs.
        ours = secrets.token_hex(4)
        with path.open("rb") as pieces:
            while piece := pieces.read(_PIECE):
                blocks.append(base64.b64encode(f"{ours}-{len(blocks):06}".encode()).decode())
                query = {"comp": "block", "blockid": blocks[-1]}
                await self._calls.call("PUT", target, query, piece, role=WRITER, deadline=_soon())
        listed = "".join(f"<Latest>{escape(block)}</Latest>" for block in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
        await self._calls.call(
            "PUT",
            target,
            {"comp": "blocklist"},
            body.encode(),
            headers={"x-ms-blob-content-type": "text/csv; charset=utf-8", "Content-Type": "application/xml"},
            role=WRITER,
            deadline=_soon(),
        )

    async def close(self) -> None:
        """
        Close the connections and the credential.
        """
        await self._calls.close()


def blobs_from(settings: Settings, env: Mapping[str, str]) -> AzureBlobs:
    """
    Return the blobs of the storage account whose queue *settings* name, called with azure-identity's chain.

    What *env* says of proxies and CA certificates is as for the registry.

    Raises:
        SettingsError: the file of CA certificates is not there.
    """
    account = (urlsplit(settings.queue_url).hostname or "").partition(".")[0]
    host = f"{account}.blob.core.windows.net"
    return AzureBlobs(host, credential=DefaultAzureCredential(), ca_file=trusted_cas(env), proxy=proxy_for(host, env))


def _path(of: Object) -> str:
    # HTTP clients take these out of a path: it would be another blob, perhaps in another container.
    if {".", ".."} & set(re.split(r"[/\\]", of.key)):
        raise ManifestError(f"{of.key!r} is no blob's name: between its slashes there is a '.' or '..'.")
    return f"/{of.key}"


def _total(content_range: str) -> int:
    found = _TOTAL.fullmatch(content_range)
    if found is None:
        raise RegistryError("The storage account answered a range without saying of what.")
    return int(found[1])


def _soon() -> float:
    return asyncio.get_running_loop().time() + _PATIENCE
