"""
The whole way on the laptop: pushed or unannounced, a device ends up online, and after a reset it does not.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import push
from firstlight.certificates import Certificate
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.pki import PrivateKey
from firstlight.push import Entry
from firstlight.verify.aws import first_light
from firstlight.verify.report import Report
from firstlight.verify.target import Target
from tests.local.conftest import REGION, Site


def connect(aws: Addresses, name: str, certificate: Certificate, key: PrivateKey, *, seconds: float = 30) -> Report:
    assert aws.ca_file is not None
    target = Target(
        endpoint=aws.client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"],
        port=aws.mqtt_port,
        cert_pem=certificate.pem.encode(),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        client_id=name,
        ca_pem=aws.ca_file.read_bytes(),
    )
    return asyncio.run(first_light(target, timeout=seconds))


def connects(report: Report) -> int:
    return max(len(check.attempts) for check in report.checks)


def test_a_pushed_device_is_online_at_its_first_connect(
    laptop: Addresses, site: Site, authorization: push.Authorization
) -> None:
    """
    The ingest API says SUCCESS for a device that can connect now, to the endpoint it says.
    """
    certificate, key = site.maker.device(serial=0x15FC8EA1)
    (answer,) = asyncio.run(
        push.push([Entry("x", certificate.pem.encode())], url=laptop.ingest_url, authorization=authorization)
    )

    report = connect(laptop, "Infineon_15fc8ea1", certificate, key)

    assert (True, "localhost") == (answer.ok, answer.endpoint), answer
    assert report.passed, report
    assert 1 == connects(report)


def test_a_device_nobody_announced_is_online_at_its_second_connect(laptop: Addresses, site: Site) -> None:
    """
    The first one provisions it, from the stack's template, with the stack's role and policy.
    """
    certificate, key = site.maker.device("just-in-time-1")

    report = connect(laptop, "just-in-time-1", certificate, key)

    principals = laptop.client("iot").list_thing_principals(thingName="just-in-time-1")["principals"]
    assert report.passed, report
    assert 2 == connects(report)
    assert [f"arn:aws:iot:{REGION}:{laptop.account}:cert/{certificate.fingerprint}"] == principals


def test_after_a_reset_nobody_is_known(new_site: Callable[[], Site], tmp_path: Path) -> None:
    """
    Things, certificates and connections are gone; the same device is then a new one.
    """
    site = new_site()
    certificate, key = site.maker.device()
    entry = Entry("x", certificate.pem.encode())
    name = f"Infineon_{certificate.serial}"
    laptop = Laptop(tmp_path / "laptop", regions=site.regions)
    with laptop as before:
        authorization = push.bearer(site.token_key, before.account, now=lambda: datetime.now(UTC))
        asyncio.run(push.push([entry], url=before.ingest_url, authorization=authorization))
        known = connect(before, name, certificate, key)

        after = laptop.reset()

        things = after.client("iot").list_things()["things"]
        (answer,) = asyncio.run(push.push([entry], url=after.ingest_url, authorization=authorization))
        again = connect(after, name, certificate, key)

    assert [] == things
    assert (before.endpoint_url, before.mqtt_port) == (after.endpoint_url, after.mqtt_port)
    assert (True, True, True) == (known.passed, answer.ok, again.passed)
