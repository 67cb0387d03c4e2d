"""
Everything the laptop's Azure holds, in memory: one object that REST and MQTT share on one event loop.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from firstlight.certificates import Certificate
from firstlight.local.azure_cloud.access import Directory
from firstlight.local.azure_cloud.storage import StorageAccount

HUB_DOMAIN = "azure-devices.net"
DPS_DOMAIN = "azure-devices-provisioning.net"
# Where every device provisioning service of public Azure answers devices, told apart by id scope.
GLOBAL_DPS_HOST = f"global.{DPS_DOMAIN}"


def new_etag() -> str:
    return secrets.token_hex(6)


@dataclass
class CaCertificate:
    """
    A CA certificate of a hub or a DPS; only a verified one lets devices in.
    """

    name: str
    certificate: Certificate
    verified: bool = False
    verification_code: str = ""
    etag: str = field(default_factory=new_etag)


@dataclass
class Twin:
    """
    A device twin; `$version` counts desired and reported apart.
    """

    tags: dict[str, Any] = field(default_factory=dict)
    desired: dict[str, Any] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    desired_version: int = 1
    reported_version: int = 1
    etag: str = field(default_factory=new_etag)
    version: int = 1
    # What last changed in `desired`, to be told to the device; nulls are deletions.
    desired_patch: dict[str, Any] = field(default_factory=dict)


@dataclass
class Device:
    """
    An identity of a hub.  `kind` is the API's: `selfSigned` (by thumbprint), `certificateAuthority`, `sas`, `none`.
    """

    id: str
    kind: str = "sas"
    primary: str = ""
    secondary: str = ""
    enabled: bool = True
    etag: str = field(default_factory=new_etag)
    generation: str = field(default_factory=new_etag)
    twin: Twin = field(default_factory=Twin)
    connected: bool = False


@dataclass
class Hub:
    """
    An IoT Hub.  `sku` and `units` decide its throttles.
    """

    name: str
    sku: str = "S1"
    units: int = 1
    devices: dict[str, Device] = field(default_factory=dict)
    certificates: dict[str, CaCertificate] = field(default_factory=dict)
    # What is told of a change: ("disabled", device), ("deleted", device), ("desired", device); the MQTT side listens.
    listeners: list[Callable[[str, Device], None]] = field(default_factory=list)
    # Its id in Azure Resource Manager, which is what roles are assigned on.
    resource_id: str = ""

    @property
    def host(self) -> str:
        return f"{self.name}.{HUB_DOMAIN}"

    def tell(self, what: str, device: Device) -> None:
        for listener in self.listeners:
            listener(what, device)


@dataclass
class Enrollment:
    """
    An individual enrollment (X.509 leaf, by thumbprint of its certificate) or an enrollment group (a CA).

    `certificate` is the leaf of an individual one, or the intermediate a group was given inline;
    `ca_name` names an uploaded CA certificate of the DPS instead.
    """

    id: str
    certificate: Certificate | None = None
    ca_name: str = ""
    enabled: bool = True
    device_id: str = ""
    hub_host: str = ""
    initial_twin: dict[str, Any] = field(default_factory=dict)
    etag: str = field(default_factory=new_etag)


@dataclass
class Assignment:
    """
    What a registration ended in.
    """

    registration_id: str
    device_id: str
    hub_host: str
    enrollment: str
    etag: str = field(default_factory=new_etag)


@dataclass
class Dps:
    """
    A device provisioning service, with the hubs it assigns devices to.
    """

    name: str
    id_scope: str
    hubs: list[str] = field(default_factory=list)
    certificates: dict[str, CaCertificate] = field(default_factory=dict)
    groups: dict[str, Enrollment] = field(default_factory=dict)
    enrollments: dict[str, Enrollment] = field(default_factory=dict)
    assignments: dict[str, Assignment] = field(default_factory=dict)
    resource_id: str = ""

    @property
    def host(self) -> str:
        return f"{self.name}.{DPS_DOMAIN}"


# Hands a direct method's name, payload and time-out (seconds) to a connected device: its status and payload.
# Raises TimeoutError: no answer.
MethodCall = Callable[[Hub, Device, str, Any, float], Awaitable[tuple[int, Any]]]


@dataclass
class World:
    """
    One subscription of one tenant.
    """

    subscription: str = field(default_factory=lambda: str(uuid4()))
    tenant: str = field(default_factory=lambda: str(uuid4()))
    hubs: dict[str, Hub] = field(default_factory=dict)
    services: dict[str, Dps] = field(default_factory=dict)
    storage: dict[str, StorageAccount] = field(default_factory=dict)
    # Every resource as Azure Resource Manager shows it, by its id in lower case.
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)
    # Set by the MQTT side; None when no device can be connected.
    call_method: MethodCall | None = None

    def hub_at(self, host: str) -> Hub | None:
        """
        Return the hub whose host name is *host*, in any case.
        """
        return next((h for h in self.hubs.values() if h.host == host.lower()), None)

    def dps_of(self, id_scope: str) -> Dps | None:
        return next((d for d in self.services.values() if d.id_scope == id_scope), None)

    def hosts(self) -> Iterator[str]:
        """
        Every host name that answers here.
        """
        yield from (h.host for h in self.hubs.values())
        yield from (d.host for d in self.services.values())
        yield GLOBAL_DPS_HOST
