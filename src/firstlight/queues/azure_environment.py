"""
The Azure Storage queue that a process's environment describes.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from firstlight.errors import SettingsError
from firstlight.queues.azure_storage import StorageQueue
from firstlight.registries.azure_environment import proxy_for, trusted_cas
from firstlight.settings import Settings


def queue_from(
    settings: Settings, env: Mapping[str, str], *, credential: AsyncTokenCredential | None = None
) -> StorageQueue:
    """
    Return the queue that *settings* name, called with *credential* (default: azure-identity's chain).

    What *env* says of proxies and CA certificates is as for the registry.

    Raises:
        SettingsError: there is no queue, or the file of CA certificates is not there.
    """
    if not settings.queue_url:
        raise SettingsError(
            "FIRSTLIGHT_QUEUE_URL is not set.", hint="It is as in https://contoso.queue.core.windows.net/firstlight."
        )
    return StorageQueue(
        settings.queue_url,
        credential=credential or DefaultAzureCredential(),
        ca_file=trusted_cas(env),
        proxy=proxy_for(urlsplit(settings.queue_url).netloc, env),
    )
