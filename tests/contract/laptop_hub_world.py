"""
The laptop's Azure as a world: behind its proxy, with production host names, tokens and roles.
"""

import os
import socket
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from azure.identity.aio import ClientSecretCredential

from firstlight.identity import DeviceIdentity
from firstlight.importing.azure_blobs import AzureBlobs
from firstlight.local.azure_cloud.access import HUB_REGISTRY_CONTRIBUTOR, HUB_TWIN_CONTRIBUTOR, Principal
from firstlight.local.azure_cloud.server import serve
from firstlight.local.azure_cloud.storage import BLOB_DOMAIN, QUEUE_DOMAIN, StorageAccount, StoredQueue
from firstlight.local.azure_cloud.world import Hub, World
from firstlight.local.mqtt import trust
from firstlight.queues.azure_storage import StorageQueue
from firstlight.registries.azure_iot import AzureIotRegistry

QUEUE = "firstlight"


class LaptopHubWorld:
    """
    A laptop Azure of its own, with one S3 hub; the registry has the one role that it needs.
    """

    def __init__(self, stack: AsyncExitStack, world: World, folder: Path, proxy: str) -> None:
        self._stack, self._world, self._folder, self._proxy = stack, world, folder, proxy
        group = f"/subscriptions/{world.subscription}/resourceGroups/contoso"
        self.hub = Hub("contoso", sku="S3", resource_id=f"{group}/providers/Microsoft.Devices/IotHubs/contoso")
        world.hubs[self.hub.name] = self.hub
        self._caller = world.directory.enroll(Principal("ingest"))
        world.directory.assign(self._caller.object_id, HUB_REGISTRY_CONTRIBUTOR, self.hub.resource_id)
        self.storage = StorageAccount("contoso", f"{group}/providers/Microsoft.Storage/storageAccounts/contoso")
        world.storage[self.storage.name] = self.storage
        for name in (QUEUE, f"{QUEUE}-poison"):
            self.storage.queues[name] = StoredQueue(name)
        self.storage.containers["manifests"] = {}
        self.registry = self.another_process()

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "LaptopHubWorld":
        folder, world = Path(stack.enter_context(tempfile.TemporaryDirectory())), World()
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        await stack.enter_async_context(serve(world, folder, listener=listener, secret="hooks"))
        return cls(stack, world, folder, f"http://127.0.0.1:{listener.getsockname()[1]}")

    def another_process(self, *, hub: str = "", secret: str = "", quotas: str = "") -> AzureIotRegistry:
        registry = AzureIotRegistry(
            hub=hub or self.hub.host,
            credential=self._credential(secret),
            ca_file=self._ca_file,
            proxy=self._proxy,
            quotas=quotas,
        )
        self._stack.push_async_callback(registry.close)
        return registry

    def a_queue(self, *roles: str, name: str = QUEUE, secret: str = "") -> StorageQueue:
        """
        Return the storage account's queue, with *roles* on it and on its poison queue.
        """
        for role in roles:
            for queue in (name, f"{name}-poison"):
                scope = f"{self.storage.resource_id}/queueServices/default/queues/{queue}"
                self._world.directory.assign(self._caller.object_id, role, scope)
        url = f"https://{self.storage.name}.{QUEUE_DOMAIN}/{name}"
        queue = StorageQueue(url, credential=self._credential(secret), ca_file=self._ca_file, proxy=self._proxy)
        self._stack.push_async_callback(queue.close)
        return queue

    def blobs(self, *roles: str) -> AzureBlobs:
        """
        Return the storage account's blobs, with *roles* on it.
        """
        for role in roles:
            self._world.directory.assign(self._caller.object_id, role, self.storage.resource_id)
        blobs = AzureBlobs(
            f"{self.storage.name}.{BLOB_DOMAIN}",
            credential=self._credential(""),
            ca_file=self._ca_file,
            proxy=self._proxy,
        )
        self._stack.push_async_callback(blobs.close)
        return blobs

    @property
    def environment(self) -> dict[str, str]:
        """
        What a program is told that works here as the caller.
        """
        return {
            "PATH": os.environ["PATH"],
            "HTTPS_PROXY": self._proxy,
            "SSL_CERT_FILE": str(self._ca_file),
            "REQUESTS_CA_BUNDLE": str(self._ca_file),
            "AZURE_TENANT_ID": self._world.tenant,
            "AZURE_CLIENT_ID": self._caller.client_id,
            "AZURE_CLIENT_SECRET": self._caller.secret,
            "FIRSTLIGHT_HUB": self.hub.host,
            "FIRSTLIGHT_QUEUE_URL": f"https://{self.storage.name}.{QUEUE_DOMAIN}/{QUEUE}",
        }

    @property
    def _ca_file(self) -> Path:
        return trust.ca_file(self._folder)

    def _credential(self, secret: str) -> ClientSecretCredential:
        return ClientSecretCredential(
            self._world.tenant,
            self._caller.client_id,
            secret or self._caller.secret,
            proxies={"https": self._proxy},
            connection_verify=str(self._ca_file),
        )

    @property
    def registry_host(self) -> str:
        return self.hub.host

    def allow_twins(self) -> None:
        self._world.directory.assign(self._caller.object_id, HUB_TWIN_CONTRIBUTOR, self.hub.resource_id)

    def take_role_away(self) -> None:
        self._world.directory.assignments.clear()

    def can_connect(self, device: DeviceIdentity) -> bool:
        found = self.hub.devices.get(device.name)
        if found is None or not found.enabled or found.kind != "selfSigned":
            return False
        return device.fingerprint.upper() in (found.primary.upper(), found.secondary.upper())

    def set_status(self, device: DeviceIdentity, status: str) -> None:
        self.hub.devices[device.name].enabled = status == "ACTIVE"
