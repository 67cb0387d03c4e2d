"""
Requests to an IoT Hub's registry on an azure-core pipeline: one call, one attempt, one answer.

azure-core's own retries are left out: a bulk call that is sent again finds what it made itself,
so repeating is a decision of whoever knows how to prove what is there (azure_push).
"""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import AsyncHttpResponse, HttpRequest

from firstlight.registries import azure_errors
from firstlight.registries.azure_answer import Answer
from firstlight.registries.azure_pipeline import first_line, pipeline

API_VERSION = "2021-04-12"
SCOPE = "https://iothubs.azure.net/.default"
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class AzureHttp:
    """
    A client of one hub.  It belongs to the event loop it is first used on.
    """

    def __init__(
        self, *, hub: str, credential: AsyncTokenCredential, ca_file: Path | None = None, proxy: str = ""
    ) -> None:
        self._hub = hub
        self._credential = credential
        self._ca_file = ca_file
        self._options: dict[str, Any] = {"proxy": proxy} if proxy else {}
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    async def send(self, method: str, path: str, body: bytes = b"", *, until: float, etag: str = "") -> Answer:
        """
        Send one request; return what is answered, errors included, or that nothing was *until* then.

        With an *etag* what it changes must not have been changed since.

        Raises:
            RegistryError: there is no token to send it with, or no such host; nothing was sent.
        """
        client = self._client or self._opened()
        headers = _JSON | ({"If-Match": f'"{etag}"'} if etag else {})
        request = HttpRequest(
            method, f"https://{self._hub}{path}?api-version={API_VERSION}", headers=headers, content=body or None
        )
        try:
            async with asyncio.timeout_at(until):
                response = await client.send_request(request, **self._options)
        except TimeoutError:
            if "Authorization" not in request.headers:
                raise azure_errors.no_token("none came in time") from None
            return Answer.timed_out()
        except ClientAuthenticationError as e:
            raise azure_errors.no_token(first_line(e)) from e
        except AzureError as e:
            return self._unanswered(e)
        said = response.headers
        return Answer.of(
            response.status_code, said.get("iothub-errorcode", ""), said.get("Retry-After", ""), response.content
        )

    async def close(self) -> None:
        """
        Close the connections and the credential.
        """
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        await self._credential.close()

    def _unanswered(self, error: AzureError) -> Answer:
        cause = error.inner_exception
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            raise azure_errors.unknown_host(self._hub) from error
        if isinstance(cause, aiohttp.ClientConnectorCertificateError):
            raise azure_errors.untrusted_host(self._hub) from error
        return Answer.unreachable()

    def _opened(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        self._client = pipeline(f"https://{self._hub}", SCOPE, self._credential, ca_file=self._ca_file)
        return self._client
