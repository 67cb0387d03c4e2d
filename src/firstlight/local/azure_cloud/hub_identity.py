"""
Device identities in the two shapes of the IoT Hub service API, and what it refuses in them.
"""

import base64
import re
import secrets
from typing import Any

from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Device

_ID = re.compile(r"[A-Za-z0-9\-.%_*?!(),:=@$']{1,128}")
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_KINDS = ("sas", "selfSigned", "certificateAuthority")
_NEVER = "0001-01-01T00:00:00Z"


def require_id(device_id: Any) -> str:
    """
    Raises:
        Refusal: it is no device id ("Understand the identity registry").
    """
    if not isinstance(device_id, str) or not _ID.fullmatch(device_id):
        raise Refusal(400, "ArgumentInvalid", f"Invalid device id: {device_id}")
    return device_id


def apply(device: Device, given: dict[str, Any]) -> None:
    """
    Make *device* what the *given* identity says; without `authentication` it gets new SAS keys.

    Raises:
        Refusal: a thumbprint or a kind is not one.
    """
    authentication = _part(given, "authentication")
    kind = authentication.get("type") or _kind(authentication)
    if kind not in _KINDS:
        raise Refusal(400, "ArgumentInvalid", f"Authentication type {kind} is not supported for devices.")
    pair = _part(authentication, "x509Thumbprint" if kind == "selfSigned" else "symmetricKey")
    names = ("primaryThumbprint", "secondaryThumbprint") if kind == "selfSigned" else ("primaryKey", "secondaryKey")
    primary, secondary = (pair.get(name) or "" for name in names)
    if kind == "selfSigned":
        for thumbprint in filter(None, (primary, secondary)):
            if not isinstance(thumbprint, str) or not _THUMBPRINT.fullmatch(thumbprint):
                raise Refusal(400, "ArgumentInvalid", "The thumbprint is neither SHA-1 nor SHA-256 in hexadecimal.")
    elif kind == "sas":
        primary, secondary = primary or _key(), secondary or _key()
    if (status := given.get("status") or "enabled") not in {"enabled", "disabled"}:
        raise Refusal(400, "ArgumentInvalid", f"Status {status} is not supported.")
    device.kind, device.primary, device.secondary = kind, primary, secondary
    device.enabled = status == "enabled"


def shown(device: Device) -> dict[str, Any]:
    """
    Return *device* as `GET /devices/{id}` shows it.
    """
    x509, sas = device.kind == "selfSigned", device.kind == "sas"
    return {
        "deviceId": device.id,
        "generationId": device.generation,
        "etag": encoded(device.etag),
        "connectionState": connection_state(device),
        "status": "enabled" if device.enabled else "disabled",
        "statusReason": None,
        "connectionStateUpdatedTime": _NEVER,
        "statusUpdatedTime": _NEVER,
        "lastActivityTime": _NEVER,
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "symmetricKey": {
                "primaryKey": device.primary if sas else None,
                "secondaryKey": device.secondary if sas else None,
            },
            "x509Thumbprint": {
                "primaryThumbprint": (device.primary or None) if x509 else None,
                "secondaryThumbprint": (device.secondary or None) if x509 else None,
            },
            "type": device.kind,
        },
        "capabilities": {"iotEdge": False},
    }


def connection_state(device: Device) -> str:
    return "Connected" if device.connected else "Disconnected"


def encoded(etag: str) -> str:
    """
    Return an etag as IoT Hub shows it: Base64.
    """
    return base64.b64encode(etag.encode()).decode()


def require_match(given: str, etag: str) -> None:
    """
    Raises:
        Refusal: *given*, of an If-Match header or a bulk entry, is neither `*` nor the *etag* as shown.
    """
    if given not in {"*", encoded(etag)}:
        raise Refusal(412, "PreconditionFailed", "Precondition failed: the etag does not match.")


def _part(given: dict[str, Any], name: str) -> dict[str, Any]:
    part = given.get(name) or {}
    if not isinstance(part, dict):
        raise Refusal(400, "ArgumentInvalid", f"{name} is not a JSON object.")
    return part


def _kind(authentication: dict[str, Any]) -> str:
    thumbprints = _part(authentication, "x509Thumbprint")
    return "selfSigned" if any(thumbprints.values()) else "sas"


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
