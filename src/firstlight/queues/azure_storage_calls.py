"""
Calls of an Azure Storage service on an azure-core pipeline: repeated while that may help, until a deadline.

Every call of ours may be repeated: a message that is there twice does no harm.
"""

import asyncio
import random
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import AsyncHttpResponse, HttpRequest

from firstlight.errors import FirstlightError, RegistryError, UnfinishedError
from firstlight.registries.azure_pipeline import first_line, pipeline

SCOPE = "https://storage.azure.com/.default"
# Of the REST API; every header and field we use is older.
API_VERSION = "2023-11-03"
# Seconds for one answer, and between two attempts; how often a call may fail before it is given up.
_ATTEMPT, _PAUSE, _LONGEST_PAUSE, _ATTEMPTS = 10.0, 0.2, 3.0, 6
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_FORBIDDEN, _UNAUTHORIZED, _MISSING = 403, 401, 404


class Answer(NamedTuple):
    """
    What a Storage service answered well: the status, the headers, the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class StorageCalls:
    """
    A client of one service of one account, *host*.  It belongs to the event loop it is first used on.
    """

    def __init__(
        self, host: str, *, credential: AsyncTokenCredential, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        self.host = host
        self._credential = credential
        self._ca_file = ca_file
        self._options: dict[str, Any] = {"proxy": proxy} if proxy else {}
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        role: str,
        deadline: float,
    ) -> Answer:
        """
        Return what is answered with 2xx; *path* has no query, *role* is the one to name if this is not allowed.

        Raises:
            UnfinishedError: the service failed or did not answer before *deadline* (the running loop's clock).
            RegistryError: it would not, there is no token, or no such host.
        """
        clock = asyncio.get_running_loop().time
        url = f"https://{self.host}{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        error: FirstlightError = UnfinishedError(f"{self.host} was not asked: the deadline came first.")
        for attempt in range(_ATTEMPTS):
            until = min(deadline, clock() + _ATTEMPT)
            if clock() >= until:
                break
            answer = await self._once(method, url, body, headers=headers or {}, until=until)
            # A token may have expired on the way: azure-core has dropped it and asks for another.
            renewed = isinstance(answer, Answer) and answer.status == _UNAUTHORIZED and not attempt
            if isinstance(answer, Answer) and answer.status not in _AGAIN and not renewed:
                return self._good(answer, path, role)
            error = answer if isinstance(answer, FirstlightError) else self._unfinished(f"failed with {_code(answer)}")
            pause = random.uniform(_PAUSE / 2, min(_LONGEST_PAUSE, _PAUSE * 2**attempt))  # noqa: S311 -- jitter
            if clock() + pause >= deadline:
                break
            await asyncio.sleep(pause)
        raise error

    async def close(self) -> None:
        """
        Close the connections and the credential.
        """
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        await self._credential.close()

    async def _once(
        self, method: str, url: str, body: bytes, *, headers: Mapping[str, str], until: float
    ) -> Answer | UnfinishedError:
        if self._client is None:
            self._client = pipeline(f"https://{self.host}", SCOPE, self._credential, ca_file=self._ca_file)
        given = {"x-ms-version": API_VERSION, "x-ms-date": formatdate(usegmt=True), **headers}
        request = HttpRequest(method, url, headers=given, content=body or None)
        try:
            async with asyncio.timeout_at(until):
                response = await self._client.send_request(request, **self._options)
        except TimeoutError:
            if "Authorization" not in request.headers:
                return UnfinishedError(f"No Entra ID token for {self.host} came in time.")
            return self._unfinished("did not answer in time")
        except ClientAuthenticationError as e:
            raise RegistryError(
                f"There is no valid Entra ID token for {self.host} ({first_line(e)}).",
                hint="Sign in again, or give this endpoint a managed identity.",
            ) from e
        except AzureError as e:
            return self._unreachable(e)
        return Answer(response.status_code, response.headers, response.content)

    def _unreachable(self, error: AzureError) -> UnfinishedError:
        cause = error.inner_exception
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            raise RegistryError(f"There is no host {self.host}.", hint="Check FIRSTLIGHT_QUEUE_URL.") from error
        if isinstance(cause, aiohttp.ClientConnectorCertificateError):
            raise RegistryError(
                f"The certificate of {self.host} is not trusted here.",
                hint="SSL_CERT_FILE names the CA certificates to trust.",
            ) from error
        return self._unfinished("cannot be reached")

    def _good(self, answer: Answer, path: str, role: str) -> Answer:
        if answer.status < 300:  # noqa: PLR2004 -- 2xx
            return answer
        what = f"{self.host}{path}"
        if answer.status in (_FORBIDDEN, _UNAUTHORIZED):
            raise RegistryError(
                f"{what} is not allowed to this endpoint ({_code(answer)}).",
                hint=f"Assign it the role {role} there; that takes some minutes to be known.",
            )
        if answer.status == _MISSING:
            raise MissingError(
                f"There is no {what} ({_code(answer)}).", hint="Check the settings, and what is deployed."
            )
        raise RefusedError(f"{what} was refused with {_code(answer)}.", reason=_code(answer))

    def _unfinished(self, problem: str) -> UnfinishedError:
        return UnfinishedError(f"{self.host} {problem}.", hint="Try again.")


class MissingError(RegistryError):
    """
    What was asked for is not there.
    """


class RefusedError(RegistryError):
    """
    The service would not; `reason` is its code.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def _code(answer: Answer) -> str:
    return answer.headers.get("x-ms-error-code", "") or f"HTTP {answer.status}"
