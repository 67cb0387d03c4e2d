"""
Who may do what: principals and role assignments as Entra ID and Azure RBAC hold them.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from uuid import uuid4


@dataclass(frozen=True)
class Role:
    """
    A built-in role: the management actions and the data actions it allows, `*` being any text.
    """

    name: str
    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


_HUBS = "Microsoft.Devices/IotHubs"
_SERVICES = "Microsoft.Devices/provisioningServices"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
HUB_DATA_CONTRIBUTOR = "4fc6c259-987e-4a07-842e-c321cc9d413f"
HUB_REGISTRY_CONTRIBUTOR = "4ea46cd5-c1b2-4a8e-910b-273211f9ce47"
HUB_TWIN_CONTRIBUTOR = "494bdba2-168f-4f31-a0a1-191d2f7c028c"
BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
QUEUE_DATA_READER = "19e7f393-937e-4f77-808e-94535e297925"
QUEUE_MESSAGE_PROCESSOR = "8a0f0c08-91a1-4084-bc3d-661d67233fed"
QUEUE_MESSAGE_SENDER = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"
DPS_DATA_CONTRIBUTOR = "dfce44e4-17b7-4bd1-a6d1-04996ec95633"

# The same ids in every tenant; Owner and Contributor have no data actions, which surprises people.
ROLES = {
    OWNER: Role("Owner", actions=("*",)),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": Role("Contributor", actions=("*",)),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": Role("Reader", actions=("*/read",)),
    HUB_DATA_CONTRIBUTOR: Role("IoT Hub Data Contributor", data_actions=(f"{_HUBS}/*",)),
    "b447c946-2db7-41ec-983d-d8bf3b1c77e3": Role("IoT Hub Data Reader", data_actions=(f"{_HUBS}/*/read",)),
    HUB_REGISTRY_CONTRIBUTOR: Role("IoT Hub Registry Contributor", data_actions=(f"{_HUBS}/devices/*",)),
    HUB_TWIN_CONTRIBUTOR: Role("IoT Hub Twin Contributor", data_actions=(f"{_HUBS}/twins/*",)),
    DPS_DATA_CONTRIBUTOR: Role("Device Provisioning Service Data Contributor", data_actions=(f"{_SERVICES}/*",)),
    "10745317-c249-44a1-a5ce-3a4353c0bbd8": Role(
        "Device Provisioning Service Data Reader", data_actions=(f"{_SERVICES}/*/read",)
    ),
    BLOB_DATA_OWNER: Role(
        "Storage Blob Data Owner", actions=(f"{_CONTAINERS}/*",), data_actions=(f"{_CONTAINERS}/blobs/*",)
    ),
    BLOB_DATA_CONTRIBUTOR: Role(
        "Storage Blob Data Contributor",
        actions=tuple(f"{_CONTAINERS}/{a}" for a in ("delete", "read", "write")),
        data_actions=tuple(
            f"{_CONTAINERS}/blobs/{a}" for a in ("delete", "read", "write", "move/action", "add/action")
        ),
    ),
    BLOB_DATA_READER: Role(
        "Storage Blob Data Reader", actions=(f"{_CONTAINERS}/read",), data_actions=(f"{_CONTAINERS}/blobs/read",)
    ),
    QUEUE_DATA_CONTRIBUTOR: Role(
        "Storage Queue Data Contributor",
        actions=(f"{_QUEUES}/delete", f"{_QUEUES}/read", f"{_QUEUES}/write"),
        data_actions=tuple(f"{_QUEUES}/messages/{a}" for a in ("delete", "read", "write", "process/action")),
    ),
    QUEUE_DATA_READER: Role(
        "Storage Queue Data Reader", actions=(f"{_QUEUES}/read",), data_actions=(f"{_QUEUES}/messages/read",)
    ),
    QUEUE_MESSAGE_PROCESSOR: Role(
        "Storage Queue Data Message Processor",
        data_actions=(f"{_QUEUES}/messages/read", f"{_QUEUES}/messages/process/action"),
    ),
    QUEUE_MESSAGE_SENDER: Role("Storage Queue Data Message Sender", data_actions=(f"{_QUEUES}/messages/add/action",)),
}


@dataclass(frozen=True)
class Principal:
    """
    A service principal: an application's, or a managed identity (then `managed` holds the id of its resource).
    """

    name: str
    object_id: str = field(default_factory=lambda: str(uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid4()))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    managed: str = ""


@dataclass
class Directory:
    """
    The principals of the tenant, and which role each holds on which scope.
    """

    principals: list[Principal] = field(default_factory=list)
    # (object id, role's id, scope in lower case)
    assignments: set[tuple[str, str, str]] = field(default_factory=set)

    def enroll(self, principal: Principal) -> Principal:
        """
        Add *principal* and return it.
        """
        self.principals.append(principal)
        return principal

    def assign(self, object_id: str, role: str, scope: str) -> None:
        """
        Let the principal do what *role* allows at *scope* and below; all ids in any case.
        """
        self.assignments.add((object_id.lower(), role.lower(), scope.rstrip("/").lower()))

    def by_client(self, client_id: str) -> Principal | None:
        return next((p for p in self.principals if p.client_id == client_id.lower()), None)

    def by_object(self, object_id: str) -> Principal | None:
        return next((p for p in self.principals if p.object_id == object_id.lower()), None)

    def by_secret(self, secret: str) -> Principal | None:
        """
        Return the managed identity whose endpoint is told *secret*.
        """
        return next((p for p in self.principals if p.managed and secrets.compare_digest(p.secret, secret)), None)

    def identity_of(self, resource: str) -> Principal | None:
        """
        Return the managed identity of the resource with the id *resource*.
        """
        return next((p for p in self.principals if p.managed == resource.lower()), None)

    def allows(self, principal: Principal, action: str, scope: str, *, data: bool = False) -> bool:
        """
        Return whether a role of *principal* at *scope*, or above it, has *action*.
        """
        patterns = (p for role in self._roles(principal, scope.lower()) for p in self._of(role, data=data))
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)

    def _roles(self, principal: Principal, scope: str) -> Iterator[Role]:
        for object_id, role, at in self.assignments:
            if object_id == principal.object_id and role in ROLES and (scope == at or scope.startswith(f"{at}/")):
                yield ROLES[role]

    @staticmethod
    def _of(role: Role, *, data: bool) -> tuple[str, ...]:
        return role.data_actions if data else role.actions
