"""
Queries of an IoT Hub's device twins, as far as firstlight asks them: all, by the start of the id, by status.

https://learn.microsoft.com/rest/api/iothub/service/query/get-twins
"""

import re
from typing import Any

from firstlight.local.azure_cloud import hub_twin
from firstlight.local.azure_cloud.rest import Answer, Call, Refusal
from firstlight.local.azure_cloud.world import Hub

_QUERY = re.compile(r"\s*select\s+\*\s+from\s+devices(\s+where\s+(?P<where>.+?))?\s*", re.IGNORECASE | re.DOTALL)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_TEXT = r"'(?P<text>(?:[^']|'')*)'"
_PREFIX = re.compile(rf"startswith\(\s*deviceId\s*,\s*{_TEXT}\s*\)", re.IGNORECASE)
_STATUS = re.compile(rf"status\s*=\s*{_TEXT}", re.IGNORECASE)
_PAGE = 100


def answer(hub: Hub, call: Call) -> Answer:
    """
    Return the page that *call* asks for; a continuation token is where the next one begins.

    Raises:
        Refusal: the query is not one of those, or a header is wrong.
    """
    prefix, status = _read(str(call.object().get("query", "")))
    found = [
        hub_twin.shown(device)
        for device in hub.devices.values()
        if device.id.startswith(prefix) and status in {"", "enabled" if device.enabled else "disabled"}
    ]
    size = call.headers.get("x-ms-max-item-count", "") or str(_PAGE)
    start = call.headers.get("x-ms-continuation", "") or "0"
    if not size.isdecimal() or not start.isdecimal() or int(size) < 1:
        raise Refusal(400, "ArgumentInvalid", "x-ms-max-item-count or x-ms-continuation is wrong.")
    end = int(start) + int(size)
    page: list[dict[str, Any]] = found[int(start) : end]
    return Answer(200, page, {"x-ms-continuation": str(end)} if end < len(found) else {})


def _read(query: str) -> tuple[str, str]:
    """
    Return the start of the ids and the status that are asked for; empty is any.
    """
    asked = _QUERY.fullmatch(query)
    if asked is None:
        raise Refusal(400, "IotHubQueryError", "The laptop's hub answers SELECT * FROM devices only.")
    prefix = status = ""
    for condition in _AND.split(asked["where"]) if asked["where"] else ():
        if begins := _PREFIX.fullmatch(condition):
            prefix = begins["text"].replace("''", "'")
        elif equals := _STATUS.fullmatch(condition):
            status = equals["text"]
        else:
            raise Refusal(400, "IotHubQueryError", f"The laptop's hub does not know the condition {condition}.")
    return prefix, status
