"""
The service side of IoT Hubs by REST, with this machine's Azure credential: direct methods, and the registry.

Messages to a device are not among what REST can do: that is AMQP.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential

from firstlight.errors import RegistryError, SessionError
from firstlight.registries.azure_answer import Answer
from firstlight.registries.azure_environment import proxy_for
from firstlight.registries.azure_http import AzureHttp
from firstlight.verify.azure_service import Known, Service
from firstlight.verify.reasons import Reason

_PATIENCE = 20.0
# seconds, of the device; the API wants whole ones
_ANSWER = 10


class HubService:
    """
    A Service; *env* is a process's environment, for the proxy and the CA certificates it names.
    """

    def __init__(self, credential: AsyncTokenCredential, env: Mapping[str, str]) -> None:
        self._credential = credential
        self._env = env
        self._clients: dict[str, AzureHttp] = {}

    async def invoke(self, hub: str, device_id: str, method: str, payload: dict[str, Any]) -> Any:
        """
        Call the direct method and return what the device answered.
        """
        call = {"methodName": method, "payload": payload, "responseTimeoutInSeconds": _ANSWER}
        answer = await self._send(hub, "POST", f"/twins/{quote(device_id, safe='')}/methods", json.dumps(call).encode())
        if not answer.ok or not isinstance(answer.document, dict):
            raise _refused(answer, "the direct method")
        return answer.document.get("payload")

    async def send(self, hub: str, device_id: str, payload: bytes) -> None:
        """
        Not by REST.
        """
        del hub, device_id, payload
        raise SessionError(
            "messages to a device are sent by AMQP, which firstlight does not speak", reason=Reason.NO_SERVICE
        )

    async def look_up(self, hub: str, device_id: str) -> Known | None:
        """
        Return what the hub knows of the device, or None: no such device.
        """
        answer = await self._send(hub, "GET", f"/devices/{quote(device_id, safe='')}")
        if answer.missing:
            return None
        if not answer.ok or not isinstance(answer.document, dict):
            raise _refused(answer, "its registry")
        proof = answer.document.get("authentication") or {}
        thumbprints = (proof.get("x509Thumbprint") or {}).values()
        enabled = str(answer.document.get("status", "")).lower() == "enabled"
        shown = frozenset(str(t) for t in thumbprints if t)
        return Known(str(proof.get("type", "")), shown, enabled, str(answer.document.get("etag", "")))

    async def close(self) -> None:
        """
        Close every connection, and the credential.
        """
        for client in self._clients.values():
            await client.close()
        await self._credential.close()

    async def _send(self, hub: str, method: str, path: str, body: bytes = b"") -> Answer:
        if hub not in self._clients:
            trusted = self._env.get("SSL_CERT_FILE") or self._env.get("REQUESTS_CA_BUNDLE")
            self._clients[hub] = AzureHttp(
                hub=hub,
                credential=self._credential,
                ca_file=Path(trusted) if trusted else None,
                proxy=proxy_for(hub, self._env),
            )
        try:
            return await self._clients[hub].send(
                method, path, body, until=asyncio.get_running_loop().time() + _PATIENCE
            )
        except RegistryError as e:
            raise SessionError(str(e), reason=Reason.SERVICE) from e


@asynccontextmanager
async def open_service(env: Mapping[str, str], *, enabled: bool) -> AsyncIterator[Service | None]:
    """
    Yield the service side as azure-identity's chain may use it, or None if it is not *enabled*.
    """
    if not enabled:
        yield None
        return
    service = HubService(DefaultAzureCredential(), env)
    try:
        yield service
    finally:
        await service.close()


@asynccontextmanager
async def open_client_secret(
    tenant: str, client_id: str, secret: str, *, env: Mapping[str, str]
) -> AsyncIterator[HubService]:
    """
    Yield the service side as the application *client_id* may use it.
    """
    trusted = env.get("SSL_CERT_FILE")
    through = {"proxies": {"https": env["HTTPS_PROXY"]}} if "HTTPS_PROXY" in env else {}
    credential = ClientSecretCredential(
        tenant, client_id, secret, connection_verify=trusted or True, disable_instance_discovery=True, **through
    )
    service = HubService(credential, env)
    try:
        yield service
    finally:
        await service.close()


def _refused(answer: Answer, what: str) -> SessionError:
    said = f": {answer.message}" if answer.message else ""
    return SessionError(f"the hub refused {what} ({answer.code or answer.status}){said}", reason=Reason.SERVICE)
