"""
`firstlight verify aws` against the laptop's AWS: its stacks, its policies, its front door.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.local.addresses import Addresses
from firstlight.pki import PrivateKey
from firstlight.verify.aws import verify_many
from firstlight.verify.checks import FIRST_LIGHT, FORBIDDEN, WANTED
from firstlight.verify.target import Target
from tests.command_line import Firstlight, Ran, runner
from tests.factory import Factory
from tests.local.conftest import Site

BOTH = ("5", "3.1.1")
THING = "${iot:Connection.Thing.ThingName}"


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    return runner(monkeypatch, capsys)


@dataclass
class Device:
    """
    A device's files, and the thing it would be.
    """

    laptop: Addresses
    certificate: Certificate
    key: PrivateKey
    folder: Path
    name: str = ""

    def __post_init__(self) -> None:
        pki.write_certificate(self.folder / "device.pem", self.certificate)
        pki.write_key(self.folder / "device.key", self.key)
        self.name = self.name or f"Infineon_{self.certificate.serial}"

    def registered(self, *policies: str) -> "Device":
        """
        Register it as a push does: certificate, thing, policies.
        """
        iot = self.laptop.client("iot")
        arn = iot.register_certificate_without_ca(certificatePem=self.certificate.pem, status="ACTIVE")[
            "certificateArn"
        ]
        iot.create_thing(thingName=self.name)
        iot.attach_thing_principal(thingName=self.name, principal=arn)
        for policy in policies:
            iot.attach_policy(policyName=policy, target=arn)
        return self

    def verify(self, firstlight: Firstlight, *options: object, **changes: object) -> Ran:
        given = {
            "endpoint": self.laptop.mqtt_host,
            "port": self.laptop.mqtt_port,
            "ca-file": self.laptop.ca_file,
            "cert": self.folder / "device.pem",
            "key": self.folder / "device.key",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return firstlight(
            "verify", "aws", *(w for name, value in given.items() for w in (f"--{name}", value)), *options
        )

    def judged(self, firstlight: Firstlight, *options: object, **changes: object) -> Ran:
        """
        Verify it, and again if no answer came in its short time: that is said of this machine, not of the device.
        """
        for _ in range(5):
            ran = self.verify(firstlight, *options, **changes)
            if "no-answer" not in ran.out:
                break
        return ran


MakeDevice = Callable[..., Device]


@pytest.fixture
def device(site: Site, laptop: Addresses, tmp_path_factory: pytest.TempPathFactory) -> MakeDevice:
    """
    A function that issues a device, of the site's maker in factory shape unless told otherwise.
    """

    def make(common_name: str = '""', maker: Factory = site.maker) -> Device:
        certificate, key = maker.device(common_name)
        name = "" if common_name == '""' else common_name
        return Device(laptop, certificate, key, tmp_path_factory.mktemp("device"), name)

    return make


@pytest.fixture
def policy(laptop: Addresses) -> Callable[..., str]:
    """
    A function that creates a policy of (actions, resources) pairs, and returns its name.
    """

    def create(*statements: tuple[list[str], list[str]]) -> str:
        arn = f"arn:aws:iot:{laptop.region}:{laptop.account}:"
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": [f"iot:{action}" for action in actions],
                    "Resource": [r if r == "*" else arn + r for r in resources],
                }
                for actions, resources in statements
            ],
        }
        name = f"Test-{secrets.token_hex(4)}"
        laptop.client("iot").create_policy(policyName=name, policyDocument=json.dumps(document))
        return name

    return create


def failed(ran: Ran) -> dict[tuple[str, str], str]:
    return {(c["mqtt"], c["name"]): c["reason"] for c in ran.json["checks"] if c["outcome"] == "failed"}


def outcomes(ran: Ran) -> dict[tuple[str, str], Any]:
    return {(c["mqtt"], c["name"]): c for c in ran.json["checks"]}


def test_a_device_nobody_announced_is_provisioned_and_verified(
    firstlight: Firstlight, device: MakeDevice, laptop: Addresses
) -> None:
    """
    Its first connection is closed, its second is online; the deployed policy allows what it should and no more.
    """
    newcomer = device(f"jitp-{secrets.token_hex(4)}")
    ran = newcomer.verify(firstlight, "--json")

    assert 0 == ran.code, ran.out
    assert newcomer.name == ran.json["client_id"]
    assert newcomer.certificate.fingerprint == ran.json["certificate"]
    assert f"as {newcomer.name} (the certificate's common name)." in ran.said
    first, *_, last = outcomes(ran)["5", "online"]["attempts"]
    assert ("closed-before-connack", "") == (first["reason"], last["reason"])
    assert [(v, c.name) for v in BOTH for c in (*WANTED, *FORBIDDEN)] == list(outcomes(ran))
    assert newcomer.name == laptop.client("iot").describe_thing(thingName=newcomer.name)["thingName"]


def test_a_pushed_device_is_online_at_once(firstlight: Firstlight, device: MakeDevice) -> None:
    """
    Its name comes from its serial, since its common name is two quotes.
    """
    pushed = device().registered("FirstlightDevice")
    ran = pushed.verify(firstlight, "--json")

    assert (0, pushed.name) == (ran.code, ran.json["client_id"])
    assert 1 == len(outcomes(ran)["5", "online"]["attempts"])


def test_a_person_gets_a_table_and_a_verdict(firstlight: Firstlight, device: MakeDevice) -> None:
    ran = device().registered("FirstlightDevice").verify(firstlight, "--protocol", "5")

    assert 0 == ran.code
    assert "Verified: 10 checks passed in" in ran.out
    assert "look at" not in ran.out


def test_checks_can_be_fewer(firstlight: Firstlight, device: MakeDevice) -> None:
    ran = device().registered("FirstlightDevice").verify(firstlight, "--json", "--protocol", "3.1.1", "--no-must-fail")

    assert 0 == ran.code
    assert [("3.1.1", c.name) for c in WANTED] == list(outcomes(ran))


def test_a_policy_that_is_too_wide_is_caught(
    firstlight: Firstlight, device: MakeDevice, policy: Callable[..., str]
) -> None:
    """
    `*` on `*`, as the public kits ship it: everything works, which is the failure.
    """
    ran = device().registered(policy((["*"], ["*"]))).verify(firstlight, "--json")

    assert 1 == ran.code
    assert {(v, c.name): "allowed" for v in BOTH for c in FORBIDDEN} == failed(ran)


def test_a_wildcard_where_the_name_should_end_is_caught(
    firstlight: Firstlight, device: MakeDevice, policy: Callable[..., str]
) -> None:
    hole = policy(
        (["Connect"], [f"client/{THING}"]),
        (["Publish", "Receive"], [f"topic/firstlight/{THING}*"]),
        (["Subscribe"], [f"topicfilter/firstlight/{THING}/*"]),
    )
    ran = device().registered(hole).verify(firstlight, "--json")

    assert 1 == ran.code
    assert {(v, "other-publish"): "allowed" for v in BOTH} == failed(ran)


@pytest.mark.parametrize(
    ("without", "reasons"),
    [
        ("Subscribe", ("not-authorized", "not-authorized")),
        # MQTT 3.1.1 has no refusing PUBACK: AWS IoT hangs up
        ("Publish", ("not-authorized", "connection-cut")),
        ("Receive", ("no-message", "no-message")),
    ],
)
def test_what_a_policy_lacks_is_named(
    firstlight: Firstlight, device: MakeDevice, policy: Callable[..., str], without: str, reasons: tuple[str, str]
) -> None:
    allowed = [a for a in ("Subscribe", "Publish", "Receive") if a != without]
    narrow = policy(
        (["Connect"], [f"client/{THING}"]),
        (allowed, [f"topic/firstlight/{THING}/*", f"topicfilter/firstlight/{THING}/*"]),
    )
    ran = device().registered(narrow).judged(firstlight, "--json", "--no-must-fail", "--timeout", "2")

    assert 1 == ran.code
    assert {(v, without.lower()): reason for v, reason in zip(BOTH, reasons, strict=True)} == failed(ran)


class TestNeverOnline:
    """
    AWS IoT closes the connection and says no more; the report says where to look.
    """

    def closed(self, ran: Ran) -> None:
        assert 1 == ran.code
        assert {(v, "online"): "closed-before-connack" for v in BOTH} == failed(ran)
        assert len(outcomes(ran)["5", "online"]["attempts"]) > 1
        assert "PENDING_ACTIVATION" in outcomes(ran)["5", "online"]["look_at"][0]
        assert {"failed", "not-run"} == {c["outcome"] for c in ran.json["checks"]}

    def test_a_device_of_a_foreign_ca(self, firstlight: Firstlight, device: MakeDevice) -> None:
        foreign = device("foreign-1", Factory("Foreign CA", now=datetime.now(UTC)))

        self.closed(foreign.judged(firstlight, "--json", "--timeout", "1"))

    def test_a_device_without_a_policy(self, firstlight: Firstlight, device: MakeDevice) -> None:
        self.closed(device().registered().judged(firstlight, "--json", "--timeout", "1"))

    def test_a_revoked_device(self, firstlight: Firstlight, device: MakeDevice, laptop: Addresses) -> None:
        revoked = device().registered("FirstlightDevice")
        laptop.client("iot").update_certificate(certificateId=revoked.certificate.fingerprint, newStatus="REVOKED")

        self.closed(revoked.judged(firstlight, "--json", "--timeout", "1"))

    def test_an_expired_device_that_tries_anyway(
        self, firstlight: Firstlight, site: Site, laptop: Addresses, tmp_path: Path
    ) -> None:
        key = pki.new_key()
        expired = pki.issue_device(
            ca=site.maker.ca,
            ca_key=site.maker.key,
            key_or_public_key=key,
            common_name="expired-1",
            days=1,
            now=datetime.now(UTC) - timedelta(days=3),
        )
        tried = Device(laptop, expired, key, tmp_path, "expired-1")

        assert 2 == tried.verify(firstlight, "--json").code
        self.closed(tried.judged(firstlight, "--json", "--anyway", "--timeout", "1"))

    def test_a_device_under_a_wrong_name(self, firstlight: Firstlight, device: MakeDevice) -> None:
        """
        AWS IoT refuses it by name in MQTT 5; in 3.1.1 it only closes.
        """
        ran = (
            device()
            .registered("FirstlightDevice")
            .judged(firstlight, "--json", "--timeout", "1", client_id="somebody-else")
        )

        assert 1 == ran.code
        assert {("5", "online"): "connect-refused", ("3.1.1", "online"): "closed-before-connack"} == failed(ran)

    def test_a_person_reads_where_to_look(self, firstlight: Firstlight, device: MakeDevice) -> None:
        ran = device().registered().judged(firstlight, "--timeout", "1", "--protocol", "5")

        assert "closed-before-connack: look at\n  1. Just-in-time provisioning failed" in ran.out
        assert "Not verified: 1 failed, 9 not run, 0 passed in" in ran.out
        assert "MQTT 5, Infineon_" in ran.said
        assert "attempt 1: closed by the cloud before CONNACK" in ran.said


def test_another_devices_key(firstlight: Firstlight, device: MakeDevice) -> None:
    ran = device().verify(firstlight, key=device().folder / "device.key")

    assert 2 == ran.code
    assert "does not belong to the certificate" in ran.said


def test_another_ca_file(firstlight: Firstlight, device: MakeDevice, site: Site, tmp_path: Path) -> None:
    pki.write_certificate(tmp_path / "other.pem", site.maker.ca)
    ran = device().verify(firstlight, "--json", ca_file=tmp_path / "other.pem")

    assert 1 == ran.code
    assert {(v, "online"): "server-not-trusted" for v in BOTH} == failed(ran)


def test_a_wrong_port(firstlight: Firstlight, device: MakeDevice) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        ran = device().verify(firstlight, "--json", port=taken.getsockname()[1])

    assert 1 == ran.code
    assert {(v, "online"): "port-refused" for v in BOTH} == failed(ran)


def test_many_newcomers_come_online_together(site: Site, laptop: Addresses) -> None:
    """
    Thirty devices nobody announced, first connect closed, all provisioned and publishing.
    """
    assert laptop.ca_file is not None
    ca_pem = laptop.ca_file.read_bytes()

    def target(name: str) -> Target:
        certificate, key = site.maker.device(name)
        return Target(
            endpoint=laptop.mqtt_host,
            port=laptop.mqtt_port,
            cert_pem=certificate.pem.encode(),
            key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            client_id=name,
            ca_pem=ca_pem,
        )

    targets = [target(f"burst-{secrets.token_hex(4)}") for _ in range(30)]
    reports = asyncio.run(verify_many(targets, checks=FIRST_LIGHT))

    assert all(r.passed for r in reports)
    assert all(len(r.checks[0].attempts) > 1 for r in reports)
