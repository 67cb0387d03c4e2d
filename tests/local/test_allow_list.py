"""
The allow-list of first connects on the laptop AWS: the stack, its functions as their own roles, and real devices.

The region provisioned every device at first (JITP), and has an allow-list since: its CA names the template still.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki, push
from firstlight.errors import UnfinishedError
from firstlight.identity import DeviceIdentity
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.push import Entry
from firstlight.registries.announcing import AnnouncingRegistry
from firstlight.registries.aws_announcements import TABLE
from firstlight.registries.aws_environment import registry_from
from firstlight.settings import Settings
from tests.command_line import Firstlight, runner
from tests.factory import Factory
from tests.local.front_doors import soon
from tests.mqtt_device import V5, Device, GoneError, Identity, tls

_REGIONS = """
[aws.eu-west-1]
token_key_file = "token.pem"
ca_certificates = ["ca.pem"]
first_connect = "{first_connect}"
thing_type = "sensor"
thing_groups = ["plant-7"]
stuck_after = 12
"""


@dataclass
class Place:
    """
    An operator's site, its laptop, and devices of its maker.
    """

    folder: Path
    laptop: Laptop
    maker: Factory
    token_key: pki.PrivateKey
    aws: Addresses

    def deploy(self, first_connect: str) -> None:
        (self.folder / "regions.toml").write_text(_REGIONS.format(first_connect=first_connect))
        self.aws = self.laptop.deploy()

    def device(self, name: str) -> Identity:
        return Identity.written(self.folder / "devices", *self.maker.device(name))

    def announced(self) -> set[str]:
        items = self.aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        return {item["certificateId"]["S"] for item in items}

    def status(self, identity: Identity) -> str:
        answer = self.aws.client("iot").describe_certificate(certificateId=identity.certificate.fingerprint)
        return str(answer["certificateDescription"]["status"])

    def made(self, identity: Identity, name: str = "") -> dict[str, Any]:
        """
        Return what is there of a device, with what is its own left out.
        """
        iot, name = self.aws.client("iot"), name or identity.name
        thing = iot.describe_thing(thingName=name)
        principals = iot.list_thing_principals(thingName=name)["principals"]
        assert [identity.certificate.fingerprint] == [p.rpartition("/")[2] for p in principals]
        assert {
            "certificateId": identity.certificate.fingerprint,
            "serialNumber": str(identity.certificate.x509.serial_number),
        } == thing["attributes"]
        return {
            "type": thing["thingTypeName"],
            "groups": [g["groupName"] for g in iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]],
            "policies": [p["policyName"] for p in iot.list_attached_policies(target=principals[0])["policies"]],
            "status": self.status(identity),
        }

    def told(self, function: str, event: str) -> list[dict[str, Any]]:
        """
        Return the lines of *event* that the function `lambdas.<function>` has logged.
        """
        functions, logs = self.aws.client("lambda"), self.aws.client("logs")
        (found,) = (f for f in functions.list_functions()["Functions"] if f["Handler"] == f"lambdas.{function}.handler")
        group = functions.get_function_configuration(FunctionName=found["FunctionName"])["LoggingConfig"]["LogGroup"]
        lines = [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
        return [line for line in map(json.loads, (x for x in lines if x.startswith("{"))) if line.get("event") == event]


async def connects(place: Place, identity: Identity, client_id: str = "") -> bool:
    """
    Return whether one connect of *identity* was let in.
    """
    assert place.aws.ca_file is not None
    device = await Device.dial(place.aws.mqtt_port, tls(identity, place.aws.ca_file), version=V5)
    try:
        return await device.connect(client_id or identity.name) == 0
    except GoneError:
        return False
    finally:
        await device.hang_up()


async def comes_online(
    place: Place, identity: Identity, client_id: str = "", *, patience: float = 60.0, pause: float = 0.5
) -> None:
    """
    Connect until let in, after *pause* and each time twice as long; one whose *patience* (seconds) ends fails the test.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while not await connects(place, identity, client_id):
        assert asyncio.get_running_loop().time() < deadline, f"{identity.name} stays out"
        await asyncio.sleep(pause)
        pause *= 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("allow-list")
    maker, token_key = Factory("Allow-list Maker", now=datetime.now(UTC)), pki.new_key()
    (folder / "ca.pem").write_text(maker.ca.pem)
    (folder / "token.pem").write_bytes(pki.public_pem(token_key))
    (folder / "regions.toml").write_text(_REGIONS.format(first_connect="template"))
    laptop = Laptop(folder / "laptop", regions=folder / "regions.toml")
    with laptop as addresses:
        yield Place(folder, laptop, maker, token_key, addresses)


@pytest.fixture(scope="module")
def just_in_time(place: Place) -> dict[str, Any]:
    """
    What JITP made of a device, before the region had an allow-list; it has one now.
    """
    device = place.device("just-in-time")
    asyncio.run(comes_online(place, device))
    made = place.made(device)
    place.deploy("allow-list")
    return made


@pytest.fixture
def firstlight(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name, value in place.aws.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return runner(monkeypatch, capsys)


def test_an_announced_device_is_what_jitp_would_have_made(
    place: Place, just_in_time: dict[str, Any], firstlight: Firstlight
) -> None:
    """
    Announced by its file, it is in after a retry: the same thing, type, group and policy, and its announcement is used.
    """
    device = place.device("announced")
    ran = firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1", "--expires", 7, "--json")
    (row,) = ran.json

    assert (0, "ANNOUNCED", device.certificate.fingerprint) == (ran.code, row["status"], row["fingerprint"])
    assert {device.certificate.fingerprint} == place.announced()
    asyncio.run(comes_online(place, device))
    assert just_in_time == place.made(device)
    assert {"type": "sensor", "groups": ["plant-7"], "policies": ["FirstlightJitpDevice"], "status": "ACTIVE"} == (
        just_in_time
    )
    assert asyncio.run(soon(lambda: place.announced() == set()))


@pytest.mark.usefixtures("just_in_time")
def test_who_was_not_announced_stays_out_is_found_stuck_and_comes_in_later(
    place: Place, firstlight: Firstlight
) -> None:
    """
    Withdrawn is not announced.  The twelfth connect within an hour is told, once, by certificate; announcing it then
    lets it in at its next connect.  Nobody who came in is told of.
    """
    device = place.device("stranger")
    fingerprint = device.certificate.fingerprint

    async def stays_out() -> None:
        for _ in range(14):
            assert not await connects(place, device)
        assert await soon(lambda: fingerprint in {line["certificate"] for line in place.told("stuck", "stuck")})
        assert await soon(lambda: len(left_out(fingerprint)) == 14)

    def left_out(certificate: str) -> list[dict[str, Any]]:
        lines = place.told("admission", "first-connect")
        return [line for line in lines if (line["certificate"], line["outcome"]) == (certificate, "left-out")]

    firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1")
    withdrawn = firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1", "--withdraw")
    assert (0, "1 WITHDRAWN.") == (withdrawn.code, withdrawn.said.strip().splitlines()[-1])
    asyncio.run(stays_out())
    assert "PENDING_ACTIVATION" == place.status(device)
    (metric,) = (line for line in place.told("stuck", "metrics"))
    assert [fingerprint] == [line["certificate"] for line in place.told("stuck", "stuck")]
    assert (1, "eu-west-1") == (metric["Stuck"], metric["region"])
    assert 0 == firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1").code
    asyncio.run(comes_online(place, device))


@pytest.mark.usefixtures("just_in_time")
def test_a_revoked_device_stays_out_however_often_it_is_announced(place: Place, firstlight: Firstlight) -> None:
    """
    Its connects are no events any more, so nothing even asks.
    """
    device = place.device("revoked")
    iot = place.aws.client("iot")

    assert not asyncio.run(connects(place, device))
    iot.update_certificate(certificateId=device.certificate.fingerprint, newStatus="REVOKED")
    assert 0 == firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1").code
    assert not asyncio.run(connects(place, device))
    assert "REVOKED" == place.status(device)
    assert 0 == firstlight("announce", device.certificate_file, "--to", "aws:eu-west-1", "--withdraw").code


@pytest.mark.usefixtures("just_in_time")
def test_fifty_devices_at_once(place: Place, firstlight: Firstlight) -> None:
    """
    Announced by one command from a folder; all of them are in, and no announcement is left.
    """
    folder = place.folder / "reel"
    identities = [Identity.written(folder, *place.maker.device(f"reel-{n}")) for n in range(50)]
    ran = firstlight("announce", folder, "--to", "aws:eu-west-1", "--json")

    async def all_of_them() -> None:
        await asyncio.gather(*(comes_online(place, identity, patience=90, pause=4) for identity in identities))

    assert ["ANNOUNCED"] * 50 == [row["status"] for row in ran.json]
    asyncio.run(all_of_them())
    assert asyncio.run(soon(lambda: place.announced() == set()))
    assert {"ACTIVE"} == {place.status(identity) for identity in identities}


@pytest.mark.usefixtures("just_in_time")
def test_a_push_announces_what_it_cannot_finish(place: Place) -> None:
    """
    By the name it will have, so that the device and the push end as one thing; what is finished leaves no announcement.
    """
    certificate, key = place.maker.device(serial=0x15FC8EA1)
    device = Identity.written(place.folder / "devices", certificate, key)
    done, _ = place.maker.device(serial=0x15FC8EA2)
    authorization = push.bearer(place.token_key, place.aws.account, now=lambda: datetime.now(UTC))
    entry = Entry("x", device.certificate.pem.encode())
    credentials = place.aws.credentials
    env = {
        "AWS_REGION": place.aws.region,
        "AWS_ENDPOINT_URL": place.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
    }
    # AWS IoT is not there, so nothing is registered, as of one that a queue holds
    out_of_reach = env | {"AWS_ENDPOINT_URL_IOT": "http://127.0.0.1:9"}
    settings = Settings(announcements_table=TABLE)

    async def pushed_in_vain() -> None:
        registry = registry_from(settings, out_of_reach)
        assert isinstance(registry, AnnouncingRegistry)
        identity = DeviceIdentity.from_certificate(device.certificate, settings.rule)
        (made,) = await registry.register([identity], deadline=asyncio.get_running_loop().time() + 40)
        await registry.close()
        assert isinstance(made.error, UnfinishedError)

    async def pushed(*entries: Entry) -> list[push.Answer]:
        return await push.push(list(entries), url=place.aws.ingest_url, authorization=authorization)

    (answer,) = asyncio.run(pushed(Entry("y", done.pem.encode())))
    assert (True, set()) == (answer.ok, place.announced())
    asyncio.run(pushed_in_vain())
    assert {device.certificate.fingerprint} == place.announced()
    asyncio.run(comes_online(place, device, "Infineon_15fc8ea1"))
    assert "FirstlightJitpDevice" in place.made(device, "Infineon_15fc8ea1")["policies"]
    (answer,) = asyncio.run(pushed(entry))
    assert answer.ok, answer
    arn = f"arn:aws:iot:{place.aws.region}:{place.aws.account}:cert/{device.certificate.fingerprint}"
    assert ["Infineon_15fc8ea1"] == place.aws.client("iot").list_principal_things(principal=arn)["things"]
