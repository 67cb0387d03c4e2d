"""
The state of an IoT Hub's identity registry, and its operations as far as provisioning meets them.
"""

import re
from dataclasses import dataclass, field
from typing import Any

_ID = re.compile(r"[A-Za-z0-9.%_*?!(),:=@$'-]{1,128}")
_MAX_BULK = 100

Document = dict[str, Any]


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of ours
    """
    An error answer: HTTP status, the hub's code, its words.
    """

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code = status, code
        self.document = {"Message": f"ErrorCode:{code};{message}", "ExceptionMessage": "Tracking ID:stub"}


@dataclass
class HubRegistry:
    """
    Devices by id.  `named` says by name what the hub says by number otherwise.
    """

    devices: dict[str, Document] = field(default_factory=dict)
    named: bool = False

    def bulk(self, entries: list[Document]) -> tuple[int, Document]:
        """
        Create every one of *entries* (ExportImportDevice, importMode create).
        """
        ids = [str(entry.get("id")) for entry in entries]
        if len(ids) > _MAX_BULK:
            raise Refused(400, "BulkAddDevicesCountExceeded", "more than 100")
        if len(set(ids)) < len(ids):
            raise Refused(400, "DeviceDefinedMultipleTimes")
        if any(_ID.fullmatch(i) is None or entry.get("importMode") != "create" for i, entry in zip(ids, entries)):  # noqa: B905 -- of one length
            raise Refused(400, "ArgumentInvalid", "an id or importMode")
        errors = []
        for name, entry in zip(ids, entries, strict=True):
            if name in self.devices:
                code: Any = "DeviceAlreadyExists" if self.named else 409001
                errors.append({"deviceId": name, "errorCode": code, "errorStatus": "DeviceAlreadyExists"})
            else:
                self.devices[name] = device(name, entry["authentication"], str(entry["status"]))
        return (400 if errors else 200), {"isSuccessful": not errors, "errors": errors, "warnings": []}

    def get(self, name: str) -> Document:
        if name not in self.devices:
            raise Refused(404, "DeviceNotFound", name)
        return self.devices[name]

    def put(self, name: str, body: Document, *, update: bool) -> Document:
        if update != (name in self.devices):
            raise Refused(404, "DeviceNotFound") if update else Refused(409, "DeviceAlreadyExists")
        self.devices[name] = device(name, body.get("authentication") or {}, body.get("status", "enabled"))
        return self.devices[name]

    def delete(self, name: str, *, matched: bool) -> None:
        self.get(name)
        if not matched:
            raise Refused(412, "PreconditionFailed", "Etag missing")
        del self.devices[name]

    def able(self) -> dict[str, str]:
        """
        Return device ids and thumbprints of those that can connect.
        """
        return {
            name: str(found["authentication"].get("x509Thumbprint", {}).get("primaryThumbprint"))
            for name, found in self.devices.items()
            if found["status"] == "enabled" and found["authentication"].get("type") == "selfSigned"
        }


def device(name: str, authentication: Document, status: str = "enabled") -> Document:
    """
    Return a device as the hub shows it.
    """
    return {"deviceId": name, "status": status, "etag": "c3R1Yg==", "authentication": authentication}
