"""
The hubs a DPS assigns devices to, and whether it may.
"""

import re
from collections.abc import Mapping
from typing import Any

from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Hub, World

_HOST = re.compile(r"HostName=([^;]+)", re.IGNORECASE)
_WRITE = "Microsoft.Devices/IotHubs/devices/write"


def linked_host(world: World, dps: str, link: Mapping[str, Any]) -> str:
    """
    Return the host name of the hub that *link* gives the DPS with the id *dps*.

    By identity it takes a role on the hub, by key a hub that knows keys.  When Azure itself notices is not documented;
    here it is at once, so that a template without the role does not deploy.

    Raises:
        Refusal: there is no such hub, or the DPS could not register devices in it.
    """
    by_key = _HOST.search(link.get("connectionString") or "")
    host = by_key[1] if by_key else str(link.get("hostName") or "")
    hub = world.hub_at(host)
    if hub is None:
        raise Refusal(400, 400001, f"The linked IoT hub {host} does not exist.")
    if by_key:
        _require_keys(world, hub)
    elif (kind := link.get("authenticationType")) in {"UserAssigned", "SystemAssigned"}:
        identity = str(link.get("selectedUserAssignedIdentityResourceId", "")) if kind == "UserAssigned" else dps
        _require_role(world, hub, identity)
    return hub.host


def _require_keys(world: World, hub: Hub) -> None:
    shown = world.resources.get(hub.resource_id.lower(), {})
    if (shown.get("properties") or {}).get("disableLocalAuth"):
        raise Refusal(400, 400001, f"{hub.host} has local authentication disabled; link it by a managed identity.")


def _require_role(world: World, hub: Hub, identity: str) -> None:
    principal = world.directory.identity_of(identity)
    if principal is None or not world.directory.allows(principal, _WRITE, hub.resource_id, data=True):
        raise Refusal(400, 400001, f"The identity {identity} may not register devices in {hub.host}: it has no role.")
