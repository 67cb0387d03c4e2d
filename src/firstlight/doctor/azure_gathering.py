"""
Read of Azure what concerns one device: the deployment, the hub, the DPS; nothing is changed.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from firstlight import certificates
from firstlight.azure_clients import NOT_FOUND, Azure, Rest
from firstlight.certificates import Certificate
from firstlight.deploy import azure_ca
from firstlight.deploy.azure_ca import Place
from firstlight.doctor.azure_asking import ask
from firstlight.doctor.azure_case import BY_CA, AzureCase, Dps, Hub, Identity, Told, Uploaded, thumbprints
from firstlight.doctor.azure_enrolled import read_dps
from firstlight.doctor.device import Device
from firstlight.doctor.facts import Fact
from firstlight.errors import CertificateError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.outputs import AzureOutput
from firstlight.registries.azure_authentication import authentication, is_device_id

_HUB_SCOPE = "https://iothubs.azure.net/.default"
_VERSION = "api-version=2021-04-12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """
    A deployed region: its clients, its resource group, how it names devices, and how to read the deployment's outputs.
    """

    azure: Azure
    region: str
    group: str
    rule: NamingRule
    outputs: Callable[[], Mapping[str, str]]


def gather(site: Site, device: Device, told: Told) -> AzureCase:
    """
    Return the case of *device*.  What could not be read is a fact, too: nothing is raised.
    """
    outputs = ask("the deployment", site.outputs)
    names = _names(device, site.rule)
    hub = _hub(site, outputs, told, names)
    identity = hub.known.identity.known if hub.known else None
    registration_id = device.name or device.certificate.common_name or ""
    dps = _dps(site, outputs, registration_id)
    through_dps = _goes_through_dps(device, told, dps, identity)
    return AzureCase(
        device=device,
        region=site.region,
        group=site.group,
        told=told,
        through_dps=through_dps,
        name=registration_id if through_dps else (identity.id if identity else names[0]),
        dps=dps,
        hub=hub,
    )


def _names(device: Device, rule: NamingRule) -> list[str]:
    """
    Return the ids under which the hub may know the device, the likeliest first.
    """
    if device.name:
        return [device.name]
    common_name = device.certificate.common_name or ""
    by_rule = rule.name(device.certificate) if common_name or rule.naming != "common-name" else ""
    return [name for name in (common_name, by_rule) if is_device_id(name)] or [device.certificate.serial]


def _goes_through_dps(device: Device, told: Told, dps: Fact[Dps | None], identity: Identity | None) -> bool:
    if told.id_scope or told.hub:
        return bool(told.id_scope)
    if identity and (identity.kind == BY_CA or thumbprints(device.certificate) & identity.thumbprints):
        return False
    may = not authentication(DeviceIdentity.from_certificate(device.certificate, NamingRule())).why_not_by_dps
    return may and dps.known is not None


def _hub(site: Site, outputs: Fact[Mapping[str, str]], told: Told, names: list[str]) -> Fact[Hub]:
    host = told.hub if outputs.unread else (outputs.known or {}).get(AzureOutput.HUB_HOST_NAME, "")
    if not host:
        return Fact(unread=outputs.unread or "could not read the hub: the deployment has none.")
    rest = site.azure.rest(f"https://{host}", _HUB_SCOPE)
    identity = ask(f"the hub's registry of {host}", lambda: _first(rest, names))
    place = azure_ca.hub(site.azure, site.group, host.partition(".")[0])
    other = Fact("")
    if not identity.unread and identity.known is None:
        other = ask(f"the hub's registry of {host}", lambda: _in_other_case(rest, names))
    return Fact(Hub(host=host, cas=_cas(place), identity=identity, other_case=other))


def _dps(site: Site, outputs: Fact[Mapping[str, str]], registration_id: str) -> Fact[Dps | None]:
    if outputs.unread:
        return Fact(unread=outputs.unread)
    known = outputs.known or {}
    name = known.get(AzureOutput.DPS_NAME, "")
    if not name:
        return Fact(None)
    return Fact(
        read_dps(
            site.azure,
            Dps(
                name=name,
                host=known[AzureOutput.DPS_HOST_NAME],
                id_scope=known[AzureOutput.ID_SCOPE],
                cas=_cas(azure_ca.dps(site.azure, site.group, name)),
            ),
            group=site.group,
            registration_id=registration_id,
        )
    )


def _first(rest: Rest, names: Iterable[str]) -> Identity | None:
    return next((found for name in names if (found := _identity(rest, name)) is not None), None)


def _in_other_case(rest: Rest, names: Iterable[str]) -> str:
    others = [other for name in names for other in (name.lower(), name.upper()) if other != name]
    found = _first(rest, others)
    return found.id if found else ""


def _identity(rest: Rest, name: str) -> Identity | None:
    answer = rest.send("GET", f"/devices/{quote(name, safe='')}?{_VERSION}", allowed=(NOT_FOUND,))
    if answer.status == NOT_FOUND:
        return None
    proof = answer.body.get("authentication") or {}
    thumbprints = (proof.get("x509Thumbprint") or {}).values()
    return Identity(
        id=str(answer.body["deviceId"]),
        kind=str(proof.get("type") or ""),
        thumbprints=frozenset(str(thumbprint).lower() for thumbprint in thumbprints if thumbprint),
        enabled=str(answer.body.get("status", "")).lower() == "enabled",
    )


def _cas(place: Place) -> Fact[tuple[Uploaded, ...]]:
    return ask(
        f"the CA certificates of the {place.name}", lambda: tuple(_uploaded(ca) for ca in place.all().value or ())
    )


def _uploaded(ca: Any) -> Uploaded:
    found = _certificate(getattr(ca.properties, "certificate", None))
    return Uploaded(
        name=ca.name or "",
        subject=found.x509.subject.rfc4514_string() if found else str(ca.properties.subject or ""),
        verified=bool(ca.properties.is_verified),
        certificate=found,
    )


def _certificate(shown: Any) -> Certificate | None:
    """
    Return what the cloud shows of a CA certificate: base64 of PEM or of DER, as text or bytes, or nothing.
    """
    data = shown.encode() if isinstance(shown, str) else bytes(shown or b"")
    for read in (bytes, lambda text: base64.b64decode(text, validate=True)):
        try:
            return certificates.load(read(data))
        except (CertificateError, binascii.Error):
            continue
    return None
