"""
CA certificates in IoT Hubs and provisioning services: uploaded, and proven to be ours.

Every step changes the certificate's etag, and every next one must name the latest; a step that was
taken is not taken again, so an upload that broke off goes on where it was.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from firstlight import azure_clients, pki
from firstlight.azure_clients import Azure
from firstlight.certificates import Certificate
from firstlight.errors import UsageError


class Done(StrEnum):
    """
    How a CA certificate came to be verified.
    """

    ALREADY = "already verified"
    PROVEN = "verified by proof of possession"
    ATTESTED = "verified on your word"


@dataclass(frozen=True, slots=True)
class Place:
    """
    A hub or a provisioning service, by what its client can do to the certificate of a name.
    """

    name: str
    get: Callable[[str], Any]
    put: Callable[[str, bytes, str], Any]
    new_code: Callable[[str, str], Any]
    verify: Callable[[str, bytes, str], Any]
    delete: Callable[[str, str], Any]
    all: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A CA certificate as a place holds it.
    """

    place: str
    name: str
    subject: str
    verified: bool
    expiry: datetime | None


def hub(azure: Azure, group: str, name: str) -> Place:
    """
    Return the IoT Hub *name* of the resource group *group*.
    """
    at = azure.hub_certificates()
    return Place(
        f"hub {name}",
        get=lambda ca: at.get(group, name, ca),
        put=lambda ca, body, etag: at.create_or_update(group, name, ca, body, **({"if_match": etag} if etag else {})),
        new_code=lambda ca, etag: at.generate_verification_code(group, name, ca, etag),
        verify=lambda ca, body, etag: at.verify(group, name, ca, etag, body),
        delete=lambda ca, etag: at.delete(group, name, ca, etag),
        all=lambda: at.list_by_iot_hub(group, name),
    )


def dps(azure: Azure, group: str, name: str) -> Place:
    """
    Return the provisioning service *name* of the resource group *group*.
    """
    at, only = azure.dps_certificates(), azure_clients.unchanged
    return Place(
        f"provisioning service {name}",
        get=lambda ca: at.get(ca, group, name),
        put=lambda ca, body, etag: at.create_or_update(group, name, ca, body, **(only(etag) if etag else {})),
        new_code=lambda ca, etag: at.generate_verification_code(ca, group, name, **only(etag)),
        verify=lambda ca, body, etag: at.verify_certificate(ca, group, name, body, **only(etag)),
        delete=lambda ca, etag: at.delete(group, name, ca, **only(etag)),
        all=lambda: at.list(group, name),
    )


def upload(place: Place, name: str, ca: Certificate, *, key: pki.PrivateKey | None, now: datetime) -> Done:
    """
    Make *place* hold *ca* as *name*, verified: by proof of possession with its *key*, without one on our word.

    Raises:
        UsageError: *key* is not the key of *ca*.
        DeploymentError: Azure refused.
    """
    if key is not None and key.public_key() != ca.x509.public_key():
        raise UsageError("The key given is not the key of this CA certificate.")
    with azure_clients.refusals(f"Uploading the CA certificate {name} to the {place.name}"):
        found = _found(place, name)
        if found is not None and found.properties.is_verified:
            return Done.ALREADY
        if key is None:
            place.put(name, _body(ca, verified=True), "" if found is None else found.etag)
            return Done.ATTESTED
        if found is None:
            found = place.put(name, _body(ca, verified=False), "")
        asked = place.new_code(name, found.etag)
        proof, _ = pki.verification_certificate(asked.properties.verification_code, ca=ca, ca_key=key, now=now)
        place.verify(name, json.dumps({"certificate": _encoded(proof)}).encode(), asked.etag)
        return Done.PROVEN


def delete(place: Place, name: str) -> bool:
    """
    Delete the CA certificate *name* from *place*; return whether it was there.

    Raises:
        DeploymentError: Azure refused, for instance because an enrollment group refers to it.
    """
    with azure_clients.refusals(f"Deleting the CA certificate {name} from the {place.name}"):
        found = _found(place, name)
        if found is None:
            return False
        place.delete(name, found.etag)
        return True


def stored(place: Place) -> list[Stored]:
    """
    Return the CA certificates that *place* holds.

    Raises:
        DeploymentError: Azure refused.
    """
    with azure_clients.refusals(f"Listing the CA certificates of the {place.name}"):
        return [
            Stored(
                place.name,
                ca.name or "",
                ca.properties.subject or "",
                bool(ca.properties.is_verified),
                ca.properties.expiry,
            )
            for ca in place.all().value or ()
        ]


def _found(place: Place, name: str) -> Any:
    try:
        return place.get(name)
    except Exception as e:
        if azure_clients.is_missing(e):
            return None
        raise


def _body(ca: Certificate, *, verified: bool) -> bytes:
    return json.dumps({"properties": {"certificate": _encoded(ca), "isVerified": verified}}).encode()


def _encoded(certificate: Certificate) -> str:
    return base64.b64encode(certificate.pem.encode()).decode()
