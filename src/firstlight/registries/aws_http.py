"""
Signed requests over pooled connections: one call, one attempt, one answer.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from firstlight.errors import SettingsError
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_operations import Call
from firstlight.registries.sigv4 import Credentials, Signer

# Seconds an idle connection is kept; less than what servers and the balancers before them allow.
_KEEP_ALIVE = 20.0
_DNS_SECONDS = 60
# What a host need not say.
_PORTS = {"http": ":80", "https": ":443"}


class AwsHttp:
    """
    A client of one service of one region.  It belongs to the event loop it is first used on.
    """

    def __init__(self, *, endpoint_url: str, region: str, service: str, clock: Callable[[], float] = time.time) -> None:
        self._origin, self._host, self._prefix = _parts(endpoint_url)
        self._signer = Signer(region=region, service=service)
        self._clock = clock
        # No version: a bundle holds our modules, not the metadata of a distribution.
        self._agent = "firstlight"
        self._session: aiohttp.ClientSession | None = None

    async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
        """
        Sign and send *call*; return what is answered, errors included, or that nothing was *until* then.
        """
        path = self._prefix + call.path
        headers = self._signer.sign(
            call.method,
            path,
            call.query,
            {**call.headers, "host": self._host},
            call.body,
            credentials=credentials,
            at=self._clock(),
        )
        headers["user-agent"] = self._agent
        target = f"{self._origin}{path}?{call.query}" if call.query else self._origin + path
        try:
            async with asyncio.timeout_at(until):
                return await self._exchange(call, target, headers)
        except TimeoutError:
            return Answer.timed_out(call.operation)
        except aiohttp.ClientError as e:
            return Answer.unreachable(call.operation, stale=_is_stale(e))

    async def _exchange(self, call: Call, url: str, headers: Mapping[str, str]) -> Answer:
        session = self._session or self._opened()
        # encoded: yarl would decode what was encoded on purpose, and the signature would not match.
        target = URL(url, encoded=True)
        async with session.request(
            call.method, target, data=call.body or None, headers=headers, allow_redirects=False
        ) as response:
            error_type = response.headers.get("x-amzn-errortype")
            return Answer.of(call.operation, response.status, error_type, await response.read())

    async def close(self) -> None:
        """
        Close the connections; the next request opens new ones.
        """
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            # How many calls run at once is the caller's to bound.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ttl_dns_cache=_DNS_SECONDS),
            # How long a call may take as well.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "accept-encoding", "content-type"),
        )
        return self._session


def endpoint_of(service: str, region: str) -> str:
    """
    Return the URL of AWS's own endpoint of *service* in *region*.
    """
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{suffix}"


def _parts(endpoint_url: str) -> tuple[str, str, str]:
    """
    Return the origin, what the host header says of it, and what precedes every path.
    """
    try:
        url = urlsplit(endpoint_url)
        named = bool(url.hostname) and url.port != 0
    except ValueError:
        named = False
    if not named or url.scheme not in _PORTS:
        raise SettingsError(f"The endpoint URL {endpoint_url!r} is no http or https URL.")
    # What aiohttp would send itself; given, because it is signed.
    host = url.netloc.rpartition("@")[2].removesuffix(_PORTS[url.scheme])
    return f"{url.scheme}://{host}", host, url.path.rstrip("/")


def _is_stale(error: aiohttp.ClientError) -> bool:
    connected = not isinstance(error, aiohttp.ClientConnectorError)
    return connected and isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
