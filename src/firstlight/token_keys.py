"""
The service's public key from a file or an https URL.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from firstlight.errors import KeyUnavailableError, SettingsError
from firstlight.loopback import is_loopback
from firstlight.tokens import FixedKey, VerificationKey

# Seconds; the same as the reference says it keeps its key.
TTL = 600
# Seconds to wait for the service, and after a failure before asking it again.
_PATIENCE = 3
_PAUSE = 15
_MAX_KEY_BYTES = 16_384

Fetch = Callable[[str], bytes]


def from_file(path: Path) -> FixedKey:
    """
    Raises:
        SettingsError: the file cannot be read or holds no public key.
    """
    try:
        return FixedKey(VerificationKey.from_pem(path.read_bytes()))
    except OSError as e:
        raise SettingsError(f"The token key file {path} cannot be read: {e.strerror}.") from e


def fetch_https(url: str) -> bytes:
    """
    Return what *url* holds, at most 16 KiB.  Blocks, three seconds at most for each read.

    Raises:
        OSError: it cannot be had (urllib.error.URLError is one), or a redirection leaves https.
    """
    # Deferred: a handler whose key is in its settings never pays for an HTTP client.
    import http.client  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    class StayingOnHttps(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *request: Any) -> urllib.request.Request | None:
            # every hop is looked at before it is asked: this key decides who may push
            if not str(request[-1]).startswith("https://"):
                raise OSError("redirected away from https")
            return super().redirect_request(*request)

    try:
        with urllib.request.build_opener(StayingOnHttps).open(url, timeout=_PATIENCE) as response:
            return bytes(response.read(_MAX_KEY_BYTES))
    except http.client.HTTPException as e:
        raise OSError("the answer is not HTTP") from e


@dataclass
class UrlKey:
    """
    The key at *url*: kept for ten minutes, used stale while the service does not answer.
    """

    url: str
    fetch: Fetch = fetch_https
    clock: Callable[[], float] = time.monotonic
    _known: VerificationKey | None = field(default=None, init=False)
    _fresh_until: float = field(default=float("-inf"), init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if not _allowed(self.url):
            raise SettingsError(f"The token key URL {self.url!r} is not https.")

    async def key(self) -> VerificationKey:
        async with self._lock:
            if self.clock() >= self._fresh_until:
                await self._refresh()
        if self._known is None:
            raise KeyUnavailableError("The service's public key cannot be fetched just now.", hint="Push again later.")
        return self._known

    async def _refresh(self) -> None:
        try:
            # a server that drips its answer would keep every caller waiting
            async with asyncio.timeout(2 * _PATIENCE):
                pem = await asyncio.to_thread(self.fetch, self.url)
            self._known = VerificationKey.from_pem(pem)
        except (OSError, SettingsError, ValueError):
            # The caller is not to blame, and a stale key is better than none.
            self._fresh_until = self.clock() + _PAUSE
        else:
            self._fresh_until = self.clock() + TTL


def _allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(str(parts.hostname)))
        )
    except ValueError:
        return False
