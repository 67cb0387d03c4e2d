"""
Lists the devices of an AWS region, page by page.
"""

from collections.abc import Callable, Iterator
from typing import Any

from firstlight import boto, certificates
from firstlight.certificates import Certificate
from firstlight.errors import CertificateError
from firstlight.lifecycle.aws_reading import PAGE, AwsReading
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Listed, Wanted
from firstlight.registries.aws_attributes import CERTIFICATE_ID

# A thing without a certificate that is registered: a push that broke off, or whose certificate was deleted.
NO_CERTIFICATE = "MISSING"
STATES = ("ACTIVE", "INACTIVE", "REVOKED", "PENDING_ACTIVATION", "PENDING_TRANSFER", NO_CERTIFICATE)


def listed(iot: Any, wanted: Wanted, *, at_once: int) -> Iterator[Listed]:
    """
    Yield the devices that are *wanted* in AWS's order: things that carry a `certificateId`.

    AWS IoT finds things neither by the start of their names nor by the state of their certificates, so all of both
    are read, 250 a call; an issuer takes one more call for each device that it did not register.

    Raises:
        RegistryError: AWS refused.
    """
    with boto.refusals("Listing the devices"):
        states = _states(iot)
        devices = (device for device in _things(iot, wanted, states) if _is_wanted(device, wanted))
        yield from _below(iot, wanted.issuer, devices, at_once) if wanted.issuer else devices


def below_ca(iot: Any, ca_id: str) -> list[dict[str, Any]]:
    """
    Return AWS's entry for each certificate that it knows to be below the registered CA *ca_id*.

    Those registered without their CA, as a push does it, are not among them.
    """
    pages = iot.get_paginator("list_certificates_by_ca").paginate(caCertificateId=ca_id, PaginationConfig=PAGE)
    return [found for page in pages for found in page["certificates"]]


def issued_by(issuer: Certificate, reading: AwsReading) -> Callable[[str], bool]:
    """
    Return a function that tells whether the certificate of an id is registered and was signed by *issuer*.
    """

    def is_below(fingerprint: str) -> bool:
        found = reading.certificate(fingerprint)
        if found is None:
            return False
        try:
            return certificates.load(found["certificatePem"].encode()).is_issued_by(issuer)
        except CertificateError:
            return False

    return is_below


def _states(iot: Any) -> dict[bytes, str]:
    pages = iot.get_paginator("list_certificates").paginate(PaginationConfig=PAGE)
    known = {state: state for state in STATES}
    return {
        bytes.fromhex(found["certificateId"]): known.get(found["status"], found["status"])
        for page in pages
        for found in page["certificates"]
    }


def _things(iot: Any, wanted: Wanted, states: dict[bytes, str]) -> Iterator[Listed]:
    for page in iot.get_paginator("list_things").paginate(PaginationConfig=PAGE):
        for thing in page["things"]:
            fingerprint = str((thing.get("attributes") or {}).get(CERTIFICATE_ID, ""))
            if not fingerprint and not wanted.everything:
                continue
            yield Listed(
                name=thing["thingName"],
                state=states.get(_digest(fingerprint), NO_CERTIFICATE) if fingerprint else "",
                certificates=(fingerprint,) if fingerprint else (),
                kind=thing.get("thingTypeName") or "",
            )


def _digest(fingerprint: str) -> bytes:
    try:
        return bytes.fromhex(fingerprint)
    except ValueError:
        # An operator's own attribute of the same name.
        return b""


def _is_wanted(device: Listed, wanted: Wanted) -> bool:
    return device.name.startswith(wanted.prefix) and (not wanted.states or device.state in wanted.states)


def _below(iot: Any, pem: str, devices: Iterator[Listed], at_once: int) -> Iterator[Listed]:
    issuer = certificates.load(pem.encode())
    known = {found["certificateId"] for found in below_ca(iot, issuer.fingerprint)}
    is_below = issued_by(issuer, AwsReading(iot))

    def asked(device: Listed) -> tuple[Listed, bool]:
        return device, any(c in known or is_below(c) for c in device.certificates)

    for device, yes in each(devices, asked, at_once=at_once):
        if yes:
            yield device
