"""
The ingest function runs as its own role, which allows what a push needs and nothing else.
"""

import asyncio
import json
import urllib.request
from dataclasses import dataclass

import pytest

from firstlight import certificates, pki, push
from firstlight.local.addresses import Addresses
from firstlight.push import Answer, Entry
from tests.local.conftest import Site
from tests.local.roles import Role, listed, role_of

# Each is proven needed below.
CALLED = (
    "iot:AttachPolicy",
    "iot:AttachThingPrincipal",
    "iot:CreateThing",
    "iot:DescribeCertificate",
    "iot:DescribeEndpoint",
    "iot:DescribeThing",
    "iot:GetPolicy",
    "iot:ListThingPrincipals",
    "iot:RegisterCertificateWithoutCA",
    "iot:UpdateThing",
)
# A status request that knows a device by its fingerprint asks with these; proven needed below, too.
ASKED = ("iot:ListAttachedPolicies", "iot:ListPrincipalThings")
# What a push cannot finish in time goes into the queue; tests/local/test_overflow.py shows that it does.
QUEUED = ("sqs:SendMessage",)
# Lambda itself uses these, as AWSLambdaBasicExecutionRole has them; ministack writes logs without asking.
LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture(scope="module")
def role(laptop: Addresses) -> Role:
    return role_of(laptop, "lambdas.interop.handler")


@dataclass(frozen=True)
class Bench:
    """
    Pushes the same kinds of devices again and again.
    """

    site: Site
    aws: Addresses
    authorization: push.Authorization
    # pushed before; of the second an operator has edited the thing since
    known: list[Entry]

    def answers(self) -> list[Answer]:
        """
        Push a new device, those known, and one whose thing an operator has made by hand.
        """
        return self.push([self._device("new"), *self.known, self._made_by_hand()])

    def push(self, entries: list[Entry]) -> list[Answer]:
        return asyncio.run(push.push(entries, url=self.aws.ingest_url, authorization=self.authorization))

    def asked(self, entry: Entry) -> dict[str, str]:
        """
        Return what the endpoint says of the device of *entry*, known by its fingerprint alone.
        """
        sought = [{"ref": entry.ref, "fingerprint": certificates.load(entry.certificate).fingerprint}]
        headers = {"Authorization": self.authorization(), "Content-Type": "application/json"}
        body = json.dumps({"action": "status", "certs": sought}).encode()
        request = urllib.request.Request(f"{self.aws.ingest_url}/interop", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            (answer,) = json.load(response)
        return dict(answer)

    def _device(self, ref: str, serial: int | None = None) -> Entry:
        return Entry(ref, self.site.maker.leaf(serial=serial).pem.encode())

    def _made_by_hand(self) -> Entry:
        serial = pki.random_factory_serial()
        entry = self._device("by hand", serial)
        self.aws.client("iot").create_thing(
            thingName=thing_name(entry), attributePayload={"attributes": {"site": "north"}}
        )
        return entry


def thing_name(entry: Entry) -> str:
    return f"Infineon_{certificates.load(entry.certificate).serial}"


@pytest.fixture(scope="module")
def bench(site: Site, laptop: Addresses, authorization: push.Authorization) -> Bench:
    known = [Entry(ref, site.maker.leaf().pem.encode()) for ref in ("known", "edited")]
    bench = Bench(site, laptop, authorization, known)
    assert [True, True] == [a.ok for a in bench.push(known)]
    edit = {"attributes": {"site": "north"}, "merge": True}
    laptop.client("iot").update_thing(thingName=thing_name(known[1]), attributePayload=edit)
    return bench


def test_the_role_is_neither_short_nor_long(role: Role) -> None:
    """
    What is listed here is what is deployed, each action on named resources wherever AWS knows a resource.
    """
    everywhere = {
        action for s in role.document["Statement"] if "*" in listed(s["Resource"]) for action in listed(s["Action"])
    }

    assert {*CALLED, *ASKED, *QUEUED, *LOGS} == role.actions
    assert {"iot:RegisterCertificateWithoutCA", "iot:DescribeEndpoint", *ASKED} == everywhere


def test_with_the_whole_role_every_device_is_provisioned(role: Role, bench: Bench) -> None:
    """
    New, known, edited or made by an operator: all can connect.
    """
    with role.without("nothing:AtAll"):
        answers = bench.answers()

    assert ["new", "known", "edited", "by hand"] == [a.ref for a in answers if a.ok], answers


@pytest.mark.parametrize("action", CALLED)
def test_without_any_one_action_some_device_is_refused(role: Role, bench: Bench, action: str) -> None:
    """
    No action is there for nothing, and the answer names the one that is lacking.
    """
    with role.without(action):
        answers = bench.answers()

    refused = [a.message for a in answers if not a.ok]
    assert refused, answers
    assert [] == [message for message in refused if action not in message]


def test_with_the_whole_role_a_device_is_known_by_its_fingerprint(role: Role, bench: Bench) -> None:
    """
    That is what a status request may ask.
    """
    with role.without("nothing:AtAll"):
        assert "READY" == bench.asked(bench.known[0])["status"]


@pytest.mark.parametrize("action", ASKED)
def test_without_what_it_asks_with_a_status_request_is_told_so(role: Role, bench: Bench, action: str) -> None:
    """
    As above: none is there for nothing.
    """
    with role.without(action):
        answer = bench.asked(bench.known[0])

    assert "ERROR" == answer["status"]
    assert action in answer["message"]
