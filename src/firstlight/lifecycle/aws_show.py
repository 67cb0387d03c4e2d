"""
Everything AWS IoT has about one device.
"""

from typing import Any

from firstlight import boto, certificates
from firstlight.errors import CertificateError, RegistryError
from firstlight.lifecycle.aws_reading import AwsReading, Thing
from firstlight.lifecycle.rows import Which


def show(iot: Any, which: Which) -> dict[str, Any]:
    """
    Return the facts about one device: its thing, its certificates with their policies, its groups, its endpoint.

    Raises:
        RegistryError: there is neither such a thing nor such a certificate, or AWS refused.
    """
    reading = AwsReading(iot)
    with boto.refusals(f"Looking up {which}"):
        names = (which.name,) if which.name else _names(reading, which.fingerprint)
        things = [thing for name in names if (thing := reading.thing(name)) is not None]
        if which.name and not things:
            raise RegistryError(
                f"There is no thing {which.name} in {iot.meta.region_name}.",
                hint="firstlight devices list names them; --cert finds a device by its certificate.",
            )
        ids = [c for thing in things for c in thing.certificates] or [which.fingerprint]
        return {
            "things": [_thing(reading, thing) for thing in things],
            "certificates": [_certificate(reading, c) for c in dict.fromkeys(ids)],
            "endpoint": reading.endpoint(),
        }


def _names(reading: AwsReading, fingerprint: str) -> tuple[str, ...]:
    found = reading.certificate(fingerprint)
    if found is None:
        raise RegistryError(
            f"The certificate {fingerprint} is not registered.", hint="Push it, or let its device connect."
        )
    return reading.things_of(fingerprint, found["certificateArn"])


def _thing(reading: AwsReading, thing: Thing) -> dict[str, Any]:
    return {
        "name": thing.name,
        "type": thing.kind,
        "billing_group": thing.billing_group,
        "groups": list(reading.groups_of(thing.name)),
        "attributes": dict(thing.attributes),
        "attached": list(thing.attached),
    }


def _certificate(reading: AwsReading, fingerprint: str) -> dict[str, Any]:
    found = reading.certificate(fingerprint)
    if found is None:
        return {"id": fingerprint, "status": "not registered"}
    facts = {
        "id": fingerprint,
        "status": found["status"],
        "mode": found.get("certificateMode", ""),
        "ca": found.get("caCertificateId", ""),
        "policies": list(reading.policies_of(found["certificateArn"])),
        "registered": "" if "creationDate" not in found else f"{found['creationDate']:%Y-%m-%dT%H:%M:%S%z}",
    }
    try:
        leaf = certificates.load(found["certificatePem"].encode()).x509
    except CertificateError:
        return facts
    return facts | {
        "subject": leaf.subject.rfc4514_string(),
        "issuer": leaf.issuer.rfc4514_string(),
        "not_after": f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
    }
