"""
Device twins in the shape of the IoT Hub service API.
"""

import json
import re
from typing import Any

from firstlight.local.azure_cloud.hub_identity import connection_state, encoded
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Device, Hub, new_etag

_NOT_IN_TAGS = re.compile(r"[\x00-\x20\x7f-\x9f.$#]")
# Azure's quota is 8 KB of names and values; the punctuation between them is not counted there.
_MAX_TAGS = 12 * 1024


def shown(device: Device) -> dict[str, Any]:
    """
    Return the twin of *device* as `GET /twins/{id}` shows it.
    """
    twin = device.twin
    x509 = device.kind == "selfSigned"
    return {
        "deviceId": device.id,
        "etag": encoded(twin.etag),
        "deviceEtag": encoded(device.etag),
        "status": "enabled" if device.enabled else "disabled",
        "connectionState": connection_state(device),
        "cloudToDeviceMessageCount": 0,
        "authenticationType": device.kind,
        "x509Thumbprint": {
            "primaryThumbprint": (device.primary or None) if x509 else None,
            "secondaryThumbprint": (device.secondary or None) if x509 else None,
        },
        "version": twin.version,
        "tags": twin.tags,
        "properties": {
            "desired": {**twin.desired, "$version": twin.desired_version},
            "reported": {**twin.reported, "$version": twin.reported_version},
        },
        "capabilities": {"iotEdge": False},
    }


def patch(hub: Hub, device: Device, given: dict[str, Any]) -> None:
    """
    Merge *given* into the twin: null deletes, the rest is set; the device is told of desired properties.

    Raises:
        Refusal: tags or desired properties are no objects.
    """
    tags, desired = parts(given)
    twin = device.twin
    if tags is not None:
        twin.tags = merged(twin.tags, tags)
    if desired is not None:
        twin.desired = merged(twin.desired, desired)
    _changed(hub, device, desired)


def replace(hub: Hub, device: Device, given: dict[str, Any]) -> None:
    """
    Put *given* in place of the twin's tags and desired properties, where it names them.

    Raises:
        Refusal: as `patch`.
    """
    tags, desired = parts(given)
    twin = device.twin
    changes = None
    if tags is not None:
        twin.tags = merged({}, tags)
    if desired is not None:
        changes = dict.fromkeys(set(twin.desired) - set(desired)) | desired
        twin.desired = merged({}, desired)
    _changed(hub, device, changes)


def merged(old: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """
    Return *old* with *changes* merged into it as RFC 7396 has it.
    """
    new = dict(old)
    for name, value in changes.items():
        if value is None:
            new.pop(name, None)
        elif isinstance(value, dict):
            before = new.get(name)
            new[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            new[name] = value
    return new


def parts(given: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """
    Return the tags and the desired properties that *given* names, None for what it does not.

    Raises:
        Refusal: one is no object.
    """
    properties = given.get("properties")
    tags, desired = given.get("tags"), properties.get("desired") if isinstance(properties, dict) else None
    for part in (tags, desired):
        if part is not None and not isinstance(part, dict):
            raise Refusal(400, "ArgumentInvalid", "Tags and desired properties are JSON objects.")
    for name in tags or {}:
        if not name or _NOT_IN_TAGS.search(name):
            raise Refusal(400, "ArgumentInvalid", f"{name!r} is no name of a tag.")
    if tags and len(json.dumps(tags, ensure_ascii=False).encode()) > _MAX_TAGS:
        raise Refusal(400, "ArgumentInvalid", "The tags are too large.")
    if desired is not None:
        desired = {name: value for name, value in desired.items() if not name.startswith("$")}
    return tags, desired


def _changed(hub: Hub, device: Device, desired: dict[str, Any] | None) -> None:
    twin = device.twin
    twin.etag = new_etag()
    twin.version += 1
    if desired is not None:
        twin.desired_version += 1
        twin.desired_patch = desired
        hub.tell("desired", device)
