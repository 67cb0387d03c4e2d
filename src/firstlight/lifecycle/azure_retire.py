"""
Takes a device out of its IoT Hub, and sees that its provisioning service does not put it there again.

The order is Microsoft's, "How to deprovision devices": first a disabled individual enrollment, which outranks the
enrollment group that would register the device at its next connect; then the identity.  Its attestation is a
symmetric key, since the device's certificate is not at hand: nobody uses the key, and whoever has the certificate is
refused as disabled.  The identity goes last, so that as long as anything is left, doing it again finds it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from firstlight.errors import RegistryError
from firstlight.lifecycle.azure_calls import AzureCalls
from firstlight.lifecycle.rows import Became, Row

# What DPS takes for a registration id; a name that is none is no device's of DPS.
_REGISTRATION_ID = re.compile(r"[a-z0-9._:-]{0,127}[a-z0-9-]")
_KEPT = "a disabled enrollment stays and keeps it out of DPS; a push would bring it back, as Azure remembers nothing"
_NO_DPS = "a push would bring it back, as Azure remembers nothing; disable a device to keep it out"
_FORGOTTEN = "it is forgotten: a push, or its next connect through DPS, brings it back"


def retire(calls: AzureCalls, name: str, *, also: str, forget: bool, really: bool) -> Row:
    """
    Retire the device called *name*; *also* is its certificate's common name, if known, by which DPS would know it.

    What DPS registered for this certificate under another name goes too; what it registered for another device
    stays as it is.  Without *really* it only looks.

    Raises:
        RegistryError: the common name is another device's, which DPS would then refuse.
    """
    work = _Work(calls, really)
    identity = calls.identity(name)
    if identity is None and not forget:
        return Row(name, Became.ABSENT, "there is no such device.")
    ids, twins = _in_dps_of(calls, name, identity or {}, also)
    for registration in ids:
        if forget:
            work.remove("enrollments", registration, calls.enrollment(registration))
        else:
            work.keep_out(registration)
    # before the registrations, which are what names them
    for twin in twins:
        work.delete(twin)
    for registration in ids:
        work.forget_registration(registration)
    if identity is not None:
        work.delete(name)
    if not work.done:
        return Row(name, Became.ABSENT, "there is no such device.")
    message = _FORGOTTEN if forget else _KEPT if ids else _NO_DPS
    return Row(name, Became.RETIRED if really else Became.FORESEEN, f"{message}.", done=tuple(work.done))


def in_dps(calls: AzureCalls, name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """
    Return what DPS has of the device called *name*: its registration and its individual enrollment.
    """
    for registration in _registration_ids(name, ""):
        return calls.registration(registration), calls.enrollment(registration)
    return None, None


@dataclass
class _Work:
    calls: AzureCalls
    really: bool
    done: list[str] = field(default_factory=list)

    def keep_out(self, registration: str) -> None:
        found = self.calls.enrollment(registration)
        if found is not None and found.get("provisioningStatus") == "disabled":
            return
        if self.really and found is None:
            self.calls.put_enrollment(
                {
                    "registrationId": registration,
                    "attestation": {"type": "symmetricKey", "symmetricKey": {}},
                    "provisioningStatus": "disabled",
                }
            )
        elif self.really and found is not None:
            self.calls.put_enrollment({**found, "provisioningStatus": "disabled"}, etag=str(found.get("etag", "*")))
        self.done.append(f"disabled the enrollment {registration}")

    def forget_registration(self, registration: str) -> None:
        found = self.calls.registration(registration)
        # Another hub's device of the same name is not ours to forget.
        if found is not None and found.get("assignedHub") in {None, "", self.calls.hub_host}:
            self.remove("registrations", registration, found)

    def remove(self, kind: str, name: str, found: dict[str, Any] | None) -> None:
        if found is None:
            return
        if self.really:
            self.calls.delete(kind, name)
        self.done.append(f"deleted the {kind.removesuffix('s')} {name}")

    def delete(self, name: str) -> None:
        if self.really:
            self.calls.delete_identity(name)
        self.done.append(f"deleted the device {name}")


def _in_dps_of(calls: AzureCalls, name: str, identity: dict[str, Any], also: str) -> tuple[list[str], list[str]]:
    """
    Return the registration ids that are the device's own, and the ids of identities that DPS made for its certificate.

    Raises:
        RegistryError: the common name *also* is the registration id of another device.
    """
    ids: list[str] = []
    twins: list[str] = []
    for registration in _registration_ids(name, also) if calls.dps is not None else ():
        other = _registered(calls, registration, besides=name)
        if other is None:
            ids.append(registration)
        elif _thumbprints(identity) & _thumbprints(other):
            ids.append(registration)
            twins.append(str(other["deviceId"]))
        elif registration != name.lower():
            raise RegistryError(
                f"Its certificate's common name is the registration id of another device, {other['deviceId']}, which "
                "DPS would then refuse.",
                hint=f"By its name, {name}, it is retired without that.",
            )
    return ids, twins


def _registered(calls: AzureCalls, registration: str, *, besides: str) -> dict[str, Any] | None:
    """
    Return the identity that DPS put into this hub for *registration*, if it is there and not that of *besides*.
    """
    found = calls.registration(registration) or {}
    device = str(found.get("deviceId") or "")
    if device in {"", besides} or found.get("assignedHub") not in {None, "", calls.hub_host}:
        return None
    return calls.identity(device)


def _thumbprints(identity: dict[str, Any]) -> set[str]:
    pair = (identity.get("authentication") or {}).get("x509Thumbprint") or {}
    return {str(thumbprint).lower() for thumbprint in pair.values() if thumbprint}


def _registration_ids(*names: str) -> list[str]:
    lowered = dict.fromkeys(name.lower() for name in names if name)
    return [name for name in lowered if _REGISTRATION_ID.fullmatch(name)]
