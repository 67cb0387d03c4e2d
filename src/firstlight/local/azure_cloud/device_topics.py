"""
The topics between devices and IoT Hub or DPS (MQTT 3.1.1), read and written.

Source: "Communicate with an IoT hub using the MQTT protocol" and the same for DPS, Microsoft Learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

TWIN_ANSWERS = "$iothub/twin/res/#"
DESIRED = "$iothub/twin/PATCH/properties/desired/#"
METHODS = "$iothub/methods/POST/#"
DPS_ANSWERS = "$dps/registrations/res/#"

_TWIN_GET = "$iothub/twin/GET/"
_TWIN_REPORT = "$iothub/twin/PATCH/properties/reported/"
_METHOD_ANSWER = "$iothub/methods/res/"
_REGISTER = "$dps/registrations/PUT/iotdps-register/"
_STATUS = "$dps/registrations/GET/iotdps-get-operationstatus/"


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a device asks of its twin or of DPS: `twin`, `report`, `register`, `status`; or `answer`, to a method.

    `request_id` is the $rid; `status` of a method's answer, `operation_id` of a question to DPS.
    """

    what: str
    request_id: str
    status: int = 0
    operation_id: str = ""


def hub_request(topic: str) -> Request | None:
    """
    Return what a device asks of IoT Hub on *topic*, or None when it is no topic of that kind.
    """
    path, _, query = topic.partition("?")
    request_id = properties(query).get("$rid", "")
    if not request_id:
        return None
    if path == _TWIN_GET:
        return Request("twin", request_id)
    if path == _TWIN_REPORT:
        return Request("report", request_id)
    status = path.removeprefix(_METHOD_ANSWER).removesuffix("/")
    if path.startswith(_METHOD_ANSWER) and status.removeprefix("-").isdecimal():
        return Request("answer", request_id, status=int(status))
    return None


def dps_request(topic: str) -> Request | None:
    """
    Return what a device asks of DPS on *topic*, or None when it is no topic of DPS.
    """
    path, _, query = topic.partition("?")
    given = properties(query)
    request_id = given.get("$rid", "")
    if path == _REGISTER and request_id:
        return Request("register", request_id)
    if path == _STATUS and request_id:
        return Request("status", request_id, operation_id=given.get("operationId", ""))
    return None


def telemetry(device_id: str, topic: str) -> Mapping[str, str] | None:
    """
    Return the properties of a message to the cloud, or None when *topic* is not *device_id*'s for that.
    """
    start = f"devices/{device_id}/messages/events"
    if topic == start:
        return {}
    bag = topic.removeprefix(f"{start}/")
    return None if bag == topic or "/" in bag.rstrip("/") else properties(bag.rstrip("/"))


def to_device(device_id: str, given: Mapping[str, str]) -> str:
    """
    Return the topic of a message to *device_id* with the properties *given*.
    """
    bag = "&".join(f"{quote(name, safe='$.')}={quote(value, safe='')}" for name, value in given.items())
    return f"devices/{device_id}/messages/devicebound/{bag}"


def filters(device_id: str) -> frozenset[str]:
    """
    Return the topic filters *device_id* may subscribe to on IoT Hub.
    """
    return frozenset({f"devices/{device_id}/messages/devicebound/#", TWIN_ANSWERS, DESIRED, METHODS})


def twin_answer(status: int, request_id: str, version: int | None = None) -> str:
    suffix = "" if version is None else f"&$version={version}"
    return f"$iothub/twin/res/{status}/?$rid={quote(request_id, safe='')}{suffix}"


def desired(version: int) -> str:
    return f"$iothub/twin/PATCH/properties/desired/?$version={version}"


def method(name: str, request_id: str) -> str:
    return f"$iothub/methods/POST/{quote(name, safe='')}/?$rid={request_id}"


def dps_answer(status: int, request_id: str, retry_after: int | None = None) -> str:
    suffix = "" if retry_after is None else f"&retry-after={retry_after}"
    return f"$dps/registrations/res/{status}/?$rid={quote(request_id, safe='')}{suffix}"


def properties(bag: str) -> dict[str, str]:
    """
    Read `name=value&…`, URL-encoded; a name without a value has an empty one.
    """
    pairs = (pair.partition("=") for pair in bag.split("&") if pair)
    return {unquote(name): unquote(value) for name, _, value in pairs}
