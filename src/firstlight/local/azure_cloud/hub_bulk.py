"""
`POST /devices`: up to a hundred changes of the identity registry at once.
"""

from collections import Counter
from typing import Any

from firstlight.local.azure_cloud import hub_identity, hub_twin
from firstlight.local.azure_cloud.rest import Answer, Refusal
from firstlight.local.azure_cloud.world import Device, Hub, new_etag

MOST = 100

# The service's ErrorCode numbers; import logs of live hubs show the number, the API reference the name.
_CODES = {
    "ArgumentInvalid": 400004,
    "DeviceDefinedMultipleTimes": 400011,
    "DeviceNotFound": 404001,
    "DeviceAlreadyExists": 409001,
    "PreconditionFailed": 412001,
}


def change(hub: Hub, entries: Any) -> Answer:
    """
    Apply *entries*; 400 with `isSuccessful` false when one of them failed, the others are done nevertheless.

    Raises:
        Refusal: nothing is done: no array, too many.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Refusal(400, "ArgumentInvalid", "The body is not an array of devices.")
    if not 1 <= len(entries) <= MOST:
        raise Refusal(400, "ArgumentInvalid", f"A bulk operation takes 1 to {MOST} devices, not {len(entries)}.")
    errors = _twice(entries) or [error for entry in entries if (error := _changed(hub, entry))]
    result = {"isSuccessful": not errors, "errors": errors, "warnings": []}
    return Answer(400 if errors else 200, result)


def _twice(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = Counter(str(entry.get("id")) for entry in entries)
    return [
        _error(device_id, "DeviceDefinedMultipleTimes", "The device is defined more than once.")
        for device_id, count in counts.items()
        if count > 1
    ]


def _changed(hub: Hub, entry: dict[str, Any]) -> dict[str, Any] | None:
    device_id = str(entry.get("id"))
    try:
        _change(hub, hub_identity.require_id(entry.get("id")), entry)
    except Refusal as refusal:
        return _error(device_id, str(refusal.code), refusal.message)
    return None


def _change(hub: Hub, device_id: str, entry: dict[str, Any]) -> None:
    mode = entry.get("importMode") or "create"
    known = hub.devices.get(device_id)
    if mode == "create" and known:
        raise Refusal(409, "DeviceAlreadyExists", f"A device with ID '{device_id}' is already registered.")
    if mode in {"update", "updateIfMatchETag", "delete", "deleteIfMatchETag"} and not known:
        raise Refusal(404, "DeviceNotFound", f"Device {device_id} not registered.")
    if mode.endswith("IfMatchETag") and known:
        hub_identity.require_match(entry.get("eTag") or "", known.etag)
    match mode:
        case "delete" | "deleteIfMatchETag":
            hub.tell("deleted", hub.devices.pop(device_id))
        case "create" | "update" | "updateIfMatchETag" | "createOrUpdate" | "createOrUpdateIfMatchETag":
            put(hub, known or Device(device_id), entry)
        case _:
            raise Refusal(400, "ArgumentInvalid", f"Import mode {mode} is not supported.")


def put(hub: Hub, device: Device, given: dict[str, Any]) -> None:
    """
    Make *device* what *given* says, in *hub* from now on, and disconnect it if that disables it.

    Raises:
        Refusal: *given* is wrong; nothing has changed.
    """
    twin = {name: given[name] for name in ("tags", "properties") if given.get(name)}
    hub_twin.parts(twin)
    hub_identity.apply(device, given)
    device.etag = new_etag()
    hub.devices[device.id] = device
    if twin:
        hub_twin.replace(hub, device, twin)
    if not device.enabled:
        hub.tell("disabled", device)


def _error(device_id: str, code: str, message: str) -> dict[str, Any]:
    return {
        "deviceId": device_id,
        "errorCode": _CODES[code],
        "errorStatus": f"ErrorCode:{code};{message}",
    }
