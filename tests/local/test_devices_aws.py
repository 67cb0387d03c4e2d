"""
`firstlight devices` on the laptop's AWS: found, shown, switched off and on, retired, and not back by themselves.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki, push
from firstlight.certificates import Certificate
from firstlight.lifecycle.aws_retire import Retiring
from firstlight.lifecycle.rows import Became, Row, Which
from firstlight.local.addresses import Addresses
from firstlight.push import Entry
from tests.command_line import Firstlight, runner
from tests.local.conftest import Site
from tests.local.mortal import Killed, Mortal
from tests.local.overheard import changes, overheard
from tests.local.test_laptop_devices import connect

POLICY = "FirstlightDevice"


@pytest.fixture
def firstlight(laptop: Addresses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name, value in laptop.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return runner(monkeypatch, capsys)


@dataclass(frozen=True)
class Pushed:
    """
    Certificates of one push, and the names of their devices.
    """

    certificates: list[Certificate]

    @property
    def names(self) -> list[str]:
        return [f"Infineon_{certificate.serial}" for certificate in self.certificates]


@pytest.fixture
def pushed(laptop: Addresses, site: Site, authorization: push.Authorization) -> Pushed:
    """
    Three devices as a push leaves them.
    """
    return do_push(laptop, [site.maker.leaf() for _ in range(3)], authorization)


def do_push(laptop: Addresses, leaves: list[Certificate], authorization: push.Authorization) -> Pushed:
    entries = [Entry(str(i), leaf.pem.encode()) for i, leaf in enumerate(leaves)]
    answers = asyncio.run(push.push(entries, url=laptop.ingest_url, authorization=authorization))
    assert all(answer.ok for answer in answers), answers
    return Pushed(leaves)


@pytest.fixture(scope="module")
def iot(laptop: Addresses) -> Any:
    return laptop.client("iot")


def status(iot: Any, certificate: Certificate) -> str:
    try:
        described = iot.describe_certificate(certificateId=certificate.fingerprint)
    except iot.exceptions.ResourceNotFoundException:
        return ""
    return str(described["certificateDescription"]["status"])


def left(iot: Any, certificate: Certificate) -> set[str]:
    """
    What the registry still has of a device: its thing, its policies.
    """
    things = {t["thingName"] for t in iot.list_things()["things"]}
    targets = {arn.rpartition("/")[2] for arn in iot.list_targets_for_policy(policyName=POLICY)["targets"]}
    return ({f"Infineon_{certificate.serial}"} & things) | ({certificate.fingerprint} & targets)


def test_devices_are_listed(firstlight: Firstlight, iot: Any, site: Site, pushed: Pushed) -> None:
    """
    By the start of the name, by state, by who signed; a line a device.
    """
    iot.create_thing(thingName="not-ours")
    first = pushed.certificates[0]
    iot.update_certificate(certificateId=first.fingerprint, newStatus="INACTIVE")
    stranger = pki.create_ca("Stranger", key=pki.new_key(), now=site.maker.now)
    for name, ca in (("maker", site.maker.ca), ("stranger", stranger)):
        pki.write_certificate(site.regions.parent / f"list-{name}.pem", ca)

    found = firstlight("devices", "list", "--json")
    off = firstlight("devices", "list", "--state", "inactive", "--prefix", pushed.names[0])
    ours = firstlight("devices", "list", "--issuer", site.regions.parent / "list-maker.pem", "--json")
    theirs = firstlight("devices", "list", "--issuer", site.regions.parent / "list-stranger.pem", "--json")
    every = firstlight("devices", "list", "--all", "--json")

    rows = {row["name"]: row for row in map(json.loads, found.out.splitlines())}
    assert set(pushed.names) <= set(rows)
    assert "not-ours" not in rows
    assert "not-ours" in every.out
    assert ("INACTIVE", [first.fingerprint]) == (rows[pushed.names[0]]["state"], rows[pushed.names[0]]["certificates"])
    assert f"INACTIVE            {pushed.names[0]}" == off.out.strip().partition(first.fingerprint)[0].strip()
    assert "firstlight: 1 device." in off.said
    assert set(pushed.names) <= {json.loads(line)["name"] for line in ours.out.splitlines()}
    assert (0, "") == (theirs.code, theirs.out)


def test_a_device_is_shown_by_its_name_or_certificate(firstlight: Firstlight, pushed: Pushed, tmp_path: Path) -> None:
    """
    The thing, the certificate with its policies and issuer, and where it connects to.
    """
    leaf = pushed.certificates[0]
    pki.write_certificate(tmp_path / "device.pem", leaf)

    by_name = firstlight("devices", "show", pushed.names[0], "--json")
    by_certificate = firstlight("devices", "show", "--cert", tmp_path / "device.pem", "--json")
    in_words = firstlight("devices", "show", pushed.names[0])
    unknown = firstlight("devices", "show", "nobody")

    assert by_name.json == by_certificate.json
    (thing,), (certificate,) = by_name.json["things"], by_name.json["certificates"]
    assert (pushed.names[0], [leaf.fingerprint]) == (thing["name"], thing["attached"])
    assert ("ACTIVE", [POLICY]) == (certificate["status"], certificate["policies"])
    assert leaf.x509.issuer.rfc4514_string() == certificate["issuer"]
    assert "localhost" == by_name.json["endpoint"]
    assert f"  policies    {POLICY}\n" in in_words.out
    assert (1, True) == (unknown.code, "There is no thing nobody in eu-west-1" in unknown.said)


def test_a_device_is_switched_off_and_on(firstlight: Firstlight, iot: Any, pushed: Pushed) -> None:
    """
    Named twice it is done once; a REVOKED certificate stays so, as AWS has it.
    """
    name, leaf = pushed.names[0], pushed.certificates[0]

    off = firstlight("devices", "disable", name, name, "--json")
    assert ("INACTIVE", ["DISABLED"]) == (status(iot, leaf), [json.loads(x)["became"] for x in off.out.splitlines()])
    assert "INACTIVE already" in firstlight("devices", "disable", name).out
    on = firstlight("devices", "enable", name)
    assert ("ACTIVE", 0) == (status(iot, leaf), on.code)

    iot.update_certificate(certificateId=leaf.fingerprint, newStatus="REVOKED")
    assert "REVOKED already" in firstlight("devices", "disable", name).out
    refused = firstlight("devices", "enable", name, "nobody")
    assert ("REVOKED", 1, "firstlight: 2 ERROR.\n") == (status(iot, leaf), refused.code, refused.said)
    assert "AWS IoT never changes that. Forget it" in refused.out
    assert "There is no thing nobody." in refused.out


def test_retired_devices_are_gone_and_stay_out(
    *,
    firstlight: Firstlight,
    laptop: Addresses,
    iot: Any,
    pushed: Pushed,
    authorization: push.Authorization,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    First it is only said; then things and policies go, the certificates stay REVOKED, and a push is refused.
    """
    (tmp_path / "names").write_text("# the bad reel\n" + "\n".join([*pushed.names, "", "nobody"]))

    with overheard(monkeypatch) as called:
        foreseen = firstlight("devices", "retire", "--file", tmp_path / "names", "--forget")
    assert set() == changes(called)
    assert ("--yes does it" in foreseen.said, 0) == (True, foreseen.code)
    assert f"would have revoked {pushed.certificates[0].fingerprint}" in foreseen.out
    assert "ACTIVE" == status(iot, pushed.certificates[0])

    done = firstlight("devices", "retire", "--file", tmp_path / "names", "--yes", "--json")
    again = firstlight("devices", "retire", *pushed.names, "--yes")

    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [*pushed.names, "nobody"] == [row["name"] for row in rows]
    assert ["RETIRED"] * 3 + ["ABSENT"] == [row["became"] for row in rows]
    assert "keeps it out" in rows[0]["message"]
    assert (0, "firstlight: 3 ABSENT.\n") == (again.code, again.said)
    assert ["REVOKED"] * 3 == [status(iot, leaf) for leaf in pushed.certificates]
    assert [set()] * 3 == [left(iot, leaf) for leaf in pushed.certificates]
    entry = Entry("x", pushed.certificates[0].pem.encode())
    (answer,) = asyncio.run(push.push([entry], url=laptop.ingest_url, authorization=authorization))
    assert "REVOKED" in answer.message


def test_a_forgotten_device_may_come_back(
    *,
    firstlight: Firstlight,
    laptop: Addresses,
    iot: Any,
    pushed: Pushed,
    authorization: push.Authorization,
    tmp_path: Path,
) -> None:
    """
    --forget deletes the certificate, also of a device retired before; a push then makes the device anew.
    """
    leaf = pushed.certificates[0]
    pki.write_certificate(tmp_path / "device.pem", leaf)
    assert 0 == firstlight("devices", "retire", pushed.names[0], "--yes").code

    forgotten = firstlight("devices", "retire", "--cert", tmp_path / "device.pem", "--forget", "--yes")

    assert (0, "") == (forgotten.code, status(iot, leaf))
    assert "brings it back" in forgotten.out
    do_push(laptop, [leaf], authorization)
    assert "ACTIVE" == status(iot, leaf)


def test_a_retired_device_is_not_provisioned_just_in_time(
    firstlight: Firstlight, laptop: Addresses, site: Site
) -> None:
    """
    Its CA still registers whoever connects; it does not get in, since its certificate is known and REVOKED.
    """
    certificate, key = site.maker.device("to-be-retired")
    assert connect(laptop, "to-be-retired", certificate, key).passed

    retired = firstlight("devices", "retire", "to-be-retired", "--yes")

    assert 0 == retired.code
    assert not connect(laptop, "to-be-retired", certificate, key, seconds=1.5).passed
    assert "There is no thing" in firstlight("devices", "show", "to-be-retired").said


def retired(mortal: Mortal, name: str, *, forget: bool = False, calls: int = 1000) -> Row | None:
    """
    Return what became of the device, None when death came first.
    """
    mortal.left = calls
    try:
        return Retiring(mortal.iot, forget=forget, really=True)(Which(name))
    except Killed:
        return None


@pytest.fixture(scope="module")
def mortal(laptop: Addresses) -> Mortal:
    return Mortal(laptop)


def make_device(iot: Any, name: str, leaves: Sequence[Certificate]) -> None:
    """
    A thing with several certificates, the first of which it was made for.
    """
    iot.create_thing(thingName=name, attributePayload={"attributes": {"certificateId": leaves[0].fingerprint}})
    for leaf in leaves:
        arn = iot.register_certificate_without_ca(certificatePem=leaf.pem, status="ACTIVE")["certificateArn"]
        iot.attach_thing_principal(thingName=name, principal=arn)
        iot.attach_policy(policyName=POLICY, target=arn)


@pytest.mark.parametrize("forget", [False, True])
def test_a_crash_between_any_two_calls_loses_nothing(mortal: Mortal, iot: Any, site: Site, *, forget: bool) -> None:
    """
    Of a device with two certificates: killed after one call, after two, and so on, the next run leaves nothing.
    """
    for calls in range(40):
        leaves = [site.maker.leaf(), site.maker.leaf()]
        name = f"Infineon_{leaves[0].serial}"
        make_device(iot, name, leaves)

        whole = retired(mortal, name, forget=forget, calls=calls)
        finished = whole or retired(mortal, name, forget=forget)

        assert finished is not None
        assert finished.became is Became.RETIRED, finished
        assert [set()] * 2 == [left(iot, leaf) for leaf in leaves]
        assert ["" if forget else "REVOKED"] * 2 == [status(iot, leaf) for leaf in leaves]
        if whole is not None:
            assert calls > 8
            return
    raise AssertionError("it never came to an end")


def test_what_two_devices_share_is_not_taken_from_one(mortal: Mortal, iot: Any, pushed: Pushed) -> None:
    """
    The other one would be offline.
    """
    one, other = pushed.names[:2]
    (arn,) = iot.list_thing_principals(thingName=one)["principals"]
    iot.attach_thing_principal(thingName=other, principal=arn)

    row = retired(mortal, one)

    assert row is not None
    assert (Became.ERROR, True) == (row.became, other in row.message)
    assert "ACTIVE" == status(iot, pushed.certificates[0])


def test_the_old_certificate_of_a_device_is_its_new_things_alone(
    firstlight: Firstlight, mortal: Mortal, iot: Any, pushed: Pushed
) -> None:
    """
    A thing still says that it was made for a certificate that is on another thing by now: that one stays online.
    """
    (old, new), leaf = pushed.names[:2], pushed.certificates[0]
    (arn,) = iot.list_thing_principals(thingName=old)["principals"]
    iot.detach_thing_principal(thingName=old, principal=arn)
    iot.attach_thing_principal(thingName=new, principal=arn)

    disabled = firstlight("devices", "disable", old)
    row = retired(mortal, old)

    assert (1, True) == (disabled.code, "has no registered certificate" in disabled.out)
    assert (Became.RETIRED, ()) == (row and row.became, row and row.certificates)
    assert "ACTIVE" == status(iot, leaf)
    assert [arn] == [p for p in iot.list_thing_principals(thingName=new)["principals"] if p == arn]


def test_an_operators_own_attribute_does_not_keep_a_device_from_retiring(mortal: Mortal, iot: Any) -> None:
    """
    What they call certificateId may be any text.
    """
    iot.create_thing(thingName="numbered", attributePayload={"attributes": {"certificateId": "crt-0815"}})

    row = retired(mortal, "numbered")

    assert (Became.RETIRED, ()) == (row and row.became, row and row.certificates)


@pytest.fixture(autouse=True)
def nobody_stays(iot: Any) -> Iterator[None]:
    """
    Other tests list things too.
    """
    yield
    iot.delete_thing(thingName="not-ours")
