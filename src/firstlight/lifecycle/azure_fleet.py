"""
The devices of an IoT Hub: listed, shown, switched off and on.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import FirstlightError, IdentityError, RegistryError
from firstlight.identity import NamingRule
from firstlight.lifecycle import azure_groups, azure_retire
from firstlight.lifecycle.azure_calls import AzureCalls, refusals
from firstlight.lifecycle.rows import Became, Listed, Row, Wanted, Which, failed

STATES = ("enabled", "disabled")
_BY_CERTIFICATE = {"selfsigned", "certificateauthority"}
_UNKNOWN = "the hub has no device with this certificate"
# Its enrollment bears a name, and nothing of the certificate.
_BY_NAME = "; one that was retired before is forgotten by its name."


@dataclass(frozen=True)
class AzureFleet:
    """
    The devices of the hub that *calls* reaches; *rule* is how the region names what is pushed.
    """

    calls: AzureCalls
    rule: NamingRule
    at_once: int = 4
    states: tuple[str, ...] = STATES

    def list(self, wanted: Wanted) -> Iterator[Listed]:
        """
        Yield the devices that are *wanted*; below an issuer are those whom DPS registered by its group.

        Raises:
            RegistryError: Azure refused.
        """
        conditions = []
        if wanted.prefix:
            quoted = wanted.prefix.replace("'", "''")
            conditions.append(f"STARTSWITH(deviceId, '{quoted}')")
        if len(wanted.states) == 1:
            conditions.append(f"status = '{next(iter(wanted.states))}'")
        with refusals("Listing the devices"):
            below = None
            if wanted.issuer:
                below = azure_groups.devices_below(self.calls, certificates.load(wanted.issuer.encode()))
            for twin in self.calls.devices(" AND ".join(conditions)):
                ours = str(twin.get("authenticationType", "")).lower() in _BY_CERTIFICATE
                if (ours or wanted.everything) and (below is None or twin["deviceId"] in below):
                    yield _listed(twin)

    def show(self, which: Which) -> dict[str, Any]:
        """
        Return the facts about one device: identity, tags, what DPS has of it, endpoint.

        Raises:
            RegistryError: there is no such device, or Azure refused.
        """
        with refusals(f"Looking up {which}"):
            name = self.name_of(which)
            identity = self.calls.identity(name) if name else None
            if identity is None:
                raise RegistryError(
                    f"There is no device {which} in {self.calls.hub_host}.",
                    hint="firstlight devices list names them.",
                )
            twin, registered, enrolled = self.calls.twin(name), *azure_retire.in_dps(self.calls, name)
        return {
            "name": name,
            "status": identity.get("status", ""),
            "authentication": (identity.get("authentication") or {}).get("type", ""),
            "thumbprints": list(thumbprints(identity)),
            "connection": identity.get("connectionState", ""),
            "last_activity": identity.get("lastActivityTime", ""),
            "tags": twin.get("tags") or {},
            "registration": _registration(registered),
            "enrollment": (enrolled or {}).get("provisioningStatus", ""),
            "endpoint": self.calls.hub_host,
        }

    def disable(self, which: Which) -> Row:
        return self._switched(which, "disabled", Became.DISABLED)

    def enable(self, which: Which) -> Row:
        return self._switched(which, "enabled", Became.ENABLED)

    def retire(self, which: Which, *, forget: bool, really: bool) -> Row:
        try:
            with refusals(f"Retiring {which}"):
                name = self.name_of(which)
                if not name:
                    return Row(str(which), Became.ABSENT, _UNKNOWN + (_BY_NAME if forget else "."))
                return azure_retire.retire(self.calls, name, also=_common_name(which), forget=forget, really=really)
        except FirstlightError as e:
            return failed(str(which), e)

    def name_of(self, which: Which) -> str:
        """
        Return the device's name, "" when no device that could be the certificate's has its thumbprint.
        """
        return next(self._names_of(which), "")

    def _names_of(self, which: Which) -> Iterator[str]:
        """
        Yield the name, or every name under which the hub knows the certificate: pushed, and registered by DPS.
        """
        if which.name:
            yield which.name
            return
        certificate = certificates.load(which.pem.encode())
        for name in dict.fromkeys(_names(certificate, self.rule)):
            identity = self.calls.identity(name)
            if identity is not None and certificate.fingerprint in thumbprints(identity):
                yield name

    def _switched(self, which: Which, status: str, became: Became) -> Row:
        try:
            with refusals(f"Switching {which}"):
                found = [one for name in self._names_of(which) if (one := self.calls.identity(name)) is not None]
                if not found:
                    raise RegistryError(f"There is no device {which}.", hint="firstlight devices list names them.")
                name, known = str(found[0]["deviceId"]), thumbprints(found[0])
                wrong = [identity for identity in found if identity.get("status") != status]
                if not wrong:
                    return Row(name, Became.UNCHANGED, f"it is {status} already.", certificates=known)
                for identity in wrong:
                    self.calls.put_identity({**identity, "status": status})
                done = tuple(f"{one['deviceId']} was {one.get('status')}, is {status}" for one in wrong)
                return Row(name, became, certificates=known, done=done)
        except FirstlightError as e:
            return failed(str(which), e)


def thumbprints(identity: dict[str, Any]) -> tuple[str, ...]:
    """
    Return the thumbprints of an identity or a twin, as fingerprints are written: in lower case.
    """
    where = identity.get("authentication") or identity
    pair = where.get("x509Thumbprint") or {}
    found = (pair.get("primaryThumbprint"), pair.get("secondaryThumbprint"))
    return tuple(dict.fromkeys(str(thumbprint).lower() for thumbprint in found if thumbprint))


def _listed(twin: dict[str, Any]) -> Listed:
    return Listed(
        name=twin["deviceId"],
        state=str(twin.get("status", "")),
        certificates=thumbprints(twin),
        kind=str(twin.get("authenticationType", "")),
        connection=str(twin.get("connectionState", "")),
    )


def _registration(found: dict[str, Any] | None) -> dict[str, str]:
    names = {"registrationId": "id", "status": "status", "assignedHub": "hub", "enrollmentGroupId": "group"}
    return {name: str(found[key]) for key, name in names.items() if key in (found or {})} if found else {}


def _names(certificate: Certificate, rule: NamingRule) -> Iterator[str]:
    """
    What a push calls the device, and what DPS does: its common name.
    """
    with suppress(IdentityError):
        yield rule.name(certificate)
    if certificate.common_name:
        yield certificate.common_name
        yield certificate.common_name.lower()


def _common_name(which: Which) -> str:
    return (certificates.load(which.pem.encode()).common_name or "") if which.pem else ""
