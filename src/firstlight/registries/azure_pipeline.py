"""
An azure-core pipeline as every data-plane client of ours has it: a token for each request, no retries.
"""

import ssl
from pathlib import Path

import aiohttp
from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

_KEEP_ALIVE = 20.0


def pipeline(
    base_url: str, scope: str, credential: AsyncTokenCredential, *, ca_file: Path | None
) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
    """
    Return a client of *base_url*; it belongs to the running event loop, and whoever asked for it closes it.

    *ca_file* (PEM) stands in for the system's CAs.
    """
    trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
    # A session of our own: azure-core would read the CA file anew for every request.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Of the environment's proxies azure_environment has told; asking costs a thread for each request.
        trust_env=False,
        auto_decompress=False,
    )
    return AsyncPipelineClient(
        base_url,
        transport=AioHttpTransport(session=session),
        policies=[
            RequestIdPolicy(),
            UserAgentPolicy("firstlight", user_agent_overwrite=True),
            AsyncBearerTokenCredentialPolicy(credential, scope),
        ],
    )


def first_line(error: AzureError) -> str:
    """
    Return the first line of what *error* says, which is the one for people.
    """
    return " ".join((str(error).strip().splitlines() or [""])[0].split())[:160].rstrip(".")
