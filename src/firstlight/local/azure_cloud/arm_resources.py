"""
The resources of the subscription as Azure Resource Manager has them, and what creating or deleting one does here.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstlight.local.azure_cloud import arm_certificates
from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.arm_links import linked_host
from firstlight.local.azure_cloud.arm_storage import StorageResources
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Dps, Hub, World, new_etag

HUBS = "microsoft.devices/iothubs"
SERVICES = "microsoft.devices/provisioningservices"
CERTIFICATES = (f"{HUBS}/certificates", f"{SERVICES}/certificates")

_LAST = re.compile(r"(?P<scope>.*)/providers/(?P<namespace>[^/]+)/(?P<pairs>.+)", re.IGNORECASE)
_MODES = re.compile(r"\bSystemAssigned\b", re.IGNORECASE)


@dataclass(frozen=True)
class ResourceId:
    """
    `text` as given; `kind` in lower case, as in `microsoft.devices/iothubs`; `names` from the outermost in.
    """

    text: str
    scope: str
    kind: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def parent(self) -> str:
        """
        The id of the resource that this one is a part of.
        """
        return self.text.rsplit("/", 2)[0]


def parse_id(text: str) -> ResourceId:
    """
    Raises:
        Refusal: it is no resource's id.
    """
    found = _LAST.fullmatch(text.rstrip("/"))
    parts = found["pairs"].split("/") if found else []
    if found is None or len(parts) % 2:
        raise Refusal(404, "InvalidResourceType", f"{text} is not the id of a resource.")
    kind = "/".join([found["namespace"], *parts[::2]]).lower()
    return ResourceId(text, found["scope"], kind, tuple(parts[1::2]))


class Resources:
    """
    Creates, shows and deletes the resources of *world*.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._storage = StorageResources(world)
        self._creating: dict[str, Callable[[ResourceId, dict[str, Any], dict[str, Any]], None]] = {
            HUBS: self._put_hub,
            SERVICES: self._put_dps,
            "microsoft.authorization/roleassignments": self._assign,
            "microsoft.managedidentity/userassignedidentities": self._put_identity,
            "microsoft.web/sites": self._put_site,
            "microsoft.insights/components": self._put_insights,
            **self._storage.creating,
        }

    def owner(self, hub_or_dps: str) -> Hub | Dps:
        """
        Return the hub or the DPS whose id it is.

        Raises:
            Refusal: there is none.
        """
        wanted = hub_or_dps.lower()
        owners: list[Hub | Dps] = [*self._world.hubs.values(), *self._world.services.values()]
        for found in owners:
            if found.resource_id.lower() == wanted:
                return found
        raise _not_found(hub_or_dps)

    def get(self, text: str) -> dict[str, Any]:
        """
        Raises:
            Refusal: there is no such resource.
        """
        if (found := self._world.resources.get(text.lower())) is not None:
            return found
        resource = parse_id(text) if "/providers/" in text else None
        if resource is None or resource.kind not in CERTIFICATES:
            raise _not_found(text)
        ca = arm_certificates.get(self.owner(resource.parent), resource.name)
        return arm_certificates.shown(ca, text, resource.kind)

    def list(self, kind: str, below: str) -> list[dict[str, Any]]:
        """
        Return the resources of *kind* whose id begins with *below*.
        """
        return [
            shown
            for known, shown in self._world.resources.items()
            if known.startswith(f"{below.lower()}/") and "/providers/" in known and parse_id(known).kind == kind
        ]

    def put(self, text: str, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """
        Create or update; return what is there now and whether it is new.

        Raises:
            Refusal: what it stands on is not there, or it cannot be so.
        """
        resource = parse_id(text)
        if resource.kind in CERTIFICATES:
            ca = arm_certificates.put(self.owner(resource.parent), resource.name, body, etag=None)
            return arm_certificates.shown(ca, text, resource.kind), True
        self._require_group(resource)
        new = text.lower() not in self._world.resources
        before = self._world.resources.get(text.lower(), {})
        shown = {
            **body,
            "id": before.get("id", text),
            "name": resource.name,
            "type": before.get("type", body.get("type", resource.kind)),
            "properties": dict(body.get("properties") or {}),
        }
        shown.pop("apiVersion", None)
        self._give_identity(text, shown)
        if act := self._creating.get(resource.kind):
            act(resource, shown, before)
        shown["properties"].setdefault("provisioningState", "Succeeded")
        self._world.resources[text.lower()] = shown
        return shown, new

    def delete(self, text: str) -> bool:
        """
        Delete it with all its parts; return whether it was there.
        """
        wanted = text.lower()
        gone = [known for known in self._world.resources if known == wanted or known.startswith(f"{wanted}/")]
        for known in gone:
            shown = self._world.resources.pop(known)
            if "/providers/" in known:
                self._forget(parse_id(known), shown)
        return bool(gone)

    def _forget(self, resource: ResourceId, shown: dict[str, Any]) -> None:
        directory = self._world.directory
        if resource.kind == HUBS:
            hub = self._world.hubs.pop(resource.name.lower())
            for device in list(hub.devices.values()):
                hub.tell("deleted", hub.devices.pop(device.id))
        elif resource.kind == SERVICES:
            self._world.services.pop(resource.name.lower())
        elif resource.kind == "microsoft.authorization/roleassignments":
            directory.assignments.discard(_assignment(resource, shown["properties"]))
        if identity := directory.identity_of(resource.text):
            directory.principals.remove(identity)
        self._storage.forget(resource)

    def _require_group(self, resource: ResourceId) -> None:
        group = re.match(r"/subscriptions/[^/]+/resourceGroups/([^/]+)", resource.text, re.IGNORECASE)
        if group and group[0].lower() not in self._world.resources:
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{group[1]}' could not be found.")

    def _give_identity(self, text: str, shown: dict[str, Any]) -> None:
        identity = shown.get("identity") or {}
        if _MODES.search(identity.get("type", "")):
            principal = self._managed(text)
            tenant = self._world.tenant
            shown["identity"] = {**identity, "principalId": principal.object_id, "tenantId": tenant}

    def _managed(self, text: str) -> Principal:
        directory = self._world.directory
        known = directory.identity_of(text)
        return known or directory.enroll(Principal(parse_id(text).name, managed=text.lower()))

    def _put_hub(self, resource: ResourceId, shown: dict[str, Any], before: dict[str, Any]) -> None:
        name = resource.name.lower()
        known = self._world.hubs.get(name)
        if known and known.resource_id.lower() != resource.text.lower():
            raise Refusal(409, 409001, f"The name {name!r} of the IoT hub is taken.")
        hub = self._world.hubs.setdefault(name, Hub(name, resource_id=resource.text))
        sku = shown.get("sku") or before.get("sku") or {}
        hub.sku, hub.units = sku.get("name", "S1"), int(sku.get("capacity", 1))
        shown["sku"] = {"name": hub.sku, "capacity": hub.units, "tier": "Free" if hub.sku == "F1" else "Standard"}
        shown["properties"] |= {"hostName": hub.host, "state": "Active"}
        shown["etag"] = new_etag()

    def _put_dps(self, resource: ResourceId, shown: dict[str, Any], _before: dict[str, Any]) -> None:
        name = resource.name.lower()
        known = self._world.services.get(name)
        if known and known.resource_id.lower() != resource.text.lower():
            raise Refusal(409, 409001, f"The name {name!r} of the provisioning service is taken.")
        links = shown["properties"].get("iotHubs") or []
        hosts = [linked_host(self._world, resource.text, link) for link in links]
        scope = f"0ne{secrets.token_hex(4).upper()}"
        dps = self._world.services.setdefault(name, Dps(name, scope, resource_id=resource.text))
        dps.hubs = hosts
        shown["properties"] |= {
            "state": "Active",
            "idScope": dps.id_scope,
            "serviceOperationsHostName": dps.host,
            "deviceProvisioningHostName": "global.azure-devices-provisioning.net",
        }
        shown["etag"] = new_etag()

    def _assign(self, resource: ResourceId, shown: dict[str, Any], before: dict[str, Any]) -> None:
        wanted = _assignment(resource, shown["properties"])
        directory = self._world.directory
        if directory.by_object(wanted[0]) is None:
            raise Refusal(400, "PrincipalNotFound", f"Principal {wanted[0]} does not exist in the directory.")
        if before and wanted != _assignment(resource, before["properties"]):
            raise Refusal(
                409,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        if not before and wanted in directory.assignments:
            raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
        directory.assign(*wanted)
        shown["properties"] |= {"scope": resource.scope}

    def _put_identity(self, resource: ResourceId, shown: dict[str, Any], _before: dict[str, Any]) -> None:
        principal = self._managed(resource.text)
        shown["properties"] |= {
            "principalId": principal.object_id,
            "clientId": principal.client_id,
            "tenantId": self._world.tenant,
        }

    @staticmethod
    def _put_site(resource: ResourceId, shown: dict[str, Any], _before: dict[str, Any]) -> None:
        shown["properties"] |= {"defaultHostName": f"{resource.name.lower()}.azurewebsites.net", "state": "Running"}

    @staticmethod
    def _put_insights(_resource: ResourceId, shown: dict[str, Any], before: dict[str, Any]) -> None:
        known = (before.get("properties") or {}).get("ConnectionString")
        shown["properties"] |= {"ConnectionString": known or f"InstrumentationKey={secrets.token_hex(16)}"}


def _assignment(resource: ResourceId, properties: dict[str, Any]) -> tuple[str, str, str]:
    role = str(properties.get("roleDefinitionId", "")).rpartition("/")[2]
    return str(properties.get("principalId", "")).lower(), role.lower(), resource.scope.lower()


def _not_found(text: str) -> Refusal:
    return Refusal(404, "ResourceNotFound", f"The Resource '{text}' was not found.")
