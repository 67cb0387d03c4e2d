"""
What creating or deleting a storage account, its queues and containers, and who hears of its blobs, does here.
"""

from collections.abc import Callable
from typing import Any, Protocol

from firstlight.local.azure_cloud.blob_events import SUBSCRIPTIONS, require_subscription
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.storage import StorageAccount, StoredQueue
from firstlight.local.azure_cloud.world import World

_STORAGE = "microsoft.storage/storageaccounts"
_QUEUES = f"{_STORAGE}/queueservices/queues"
_CONTAINERS = f"{_STORAGE}/blobservices/containers"


class Resource(Protocol):
    """
    What this needs of a resource's id.
    """

    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def parent(self) -> str: ...


Put = Callable[[Any, dict[str, Any], dict[str, Any]], None]


class StorageResources:
    """
    The part of Azure Resource Manager that is about storage in *world*.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        # By the type of the resource, what creating one does.
        self.creating: dict[str, Put] = {
            _STORAGE: self._put_account,
            _QUEUES: self._put_queue,
            _CONTAINERS: self._put_container,
            SUBSCRIPTIONS: self._put_subscription,
        }

    def forget(self, resource: Resource) -> None:
        """
        Drop what *resource* is, if it is of storage.
        """
        name, account = resource.names[-1], self._world.storage.get(resource.names[0])
        if resource.kind == _STORAGE:
            self._world.storage.pop(name, None)
        elif resource.kind == _QUEUES and account:
            account.queues.pop(name, None)
        elif resource.kind == _CONTAINERS and account:
            account.containers.pop(name, None)

    def _put_account(self, resource: Resource, shown: dict[str, Any], _before: dict[str, Any]) -> None:
        name = resource.names[-1]
        self._world.storage.setdefault(name, StorageAccount(name, resource.text))
        ends = {service: f"https://{name}.{service}.core.windows.net/" for service in ("blob", "queue")}
        shown["properties"] |= {"primaryEndpoints": ends}

    def _put_queue(self, resource: Resource, _shown: dict[str, Any], _before: dict[str, Any]) -> None:
        name = resource.names[-1]
        self._account(resource).queues.setdefault(name, StoredQueue(name))

    def _put_container(self, resource: Resource, _shown: dict[str, Any], _before: dict[str, Any]) -> None:
        self._account(resource).containers.setdefault(resource.names[-1], {})

    def _put_subscription(self, resource: Resource, shown: dict[str, Any], _before: dict[str, Any]) -> None:
        require_subscription(self._world, resource.parent, shown["properties"])

    def _account(self, resource: Resource) -> StorageAccount:
        account = self._world.storage.get(resource.names[0])
        if account is None:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{resource.text}' was not found.")
        return account
