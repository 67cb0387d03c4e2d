"""
`firstlight ca retire` against the laptop's AWS.
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki, push
from firstlight.lifecycle.aws_switch import Switching
from firstlight.local.addresses import Addresses
from firstlight.push import Entry
from tests.command_line import Firstlight, runner
from tests.factory import Factory
from tests.local.overheard import changes, overheard
from tests.local.test_laptop_devices import connect


@pytest.fixture
def firstlight(laptop: Addresses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name, value in laptop.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return runner(monkeypatch, capsys)


def became(out: str) -> dict[str, str]:
    """
    Return what each certificate became, by its id.
    """
    return {row["name"]: row["became"] for row in map(json.loads, out.splitlines())}


def test_a_ca_is_taken_out_of_use(
    laptop: Addresses,
    authorization: push.Authorization,
    firstlight: Firstlight,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Nobody new comes below it.  Its devices are found, pushed ones by searching, and switched off if so asked.
    """
    maker = Factory("A CA that leaked", now=datetime.now(UTC))
    pki.write_certificate(tmp_path / "ca.pem", maker.ca)
    assert 0 == firstlight("ca", "register", tmp_path / "ca.pem").code
    jit, key = maker.device("below-a-leaked-ca")
    assert connect(laptop, "below-a-leaked-ca", jit, key).passed
    pushed = maker.leaf()
    entry = Entry("x", pushed.pem.encode())
    assert asyncio.run(push.push([entry], url=laptop.ingest_url, authorization=authorization))[0].ok

    with overheard(monkeypatch) as called:
        foreseen = firstlight("ca", "retire", tmp_path / "ca.pem", "--disable-devices", "--json")
        firstlight("ca", "retire", tmp_path / "ca.pem", "--search", "--disable-devices", "--delete")
    assert set() == changes(called)
    assert ({jit.fingerprint: "FORESEEN"}, 0) == (became(foreseen.out), foreseen.code)
    assert "--search finds it" in foreseen.said
    assert ("ACTIVE", "on") == _state(firstlight, maker)

    listed = firstlight("ca", "retire", maker.ca.fingerprint, "--search", "--yes", "--json")
    assert {jit.fingerprint: "UNCHANGED", pushed.fingerprint: "UNCHANGED"} == became(listed.out)
    assert ("INACTIVE", "off") == _state(firstlight, maker)
    late, late_key = maker.device("too-late")
    assert not connect(laptop, "too-late", late, late_key, seconds=1.5).passed

    done = firstlight(
        "ca", "retire", tmp_path / "ca.pem", "--search", "--disable-devices", "--delete", "--yes", "--json"
    )
    iot = laptop.client("iot")
    gone = {"CA CN=A CA that leaked": "DELETED"}
    assert {jit.fingerprint: "DISABLED", pushed.fingerprint: "DISABLED"} | gone == became(done.out)
    assert ["INACTIVE", "INACTIVE"] == [_status(iot, leaf.fingerprint) for leaf in (jit, pushed)]
    assert "is not registered in eu-west-1" in firstlight("ca", "retire", tmp_path / "ca.pem").said


def test_a_ca_stays_while_its_devices_are_not_off(
    laptop: Addresses, firstlight: Firstlight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Deleted, AWS IoT could not list any more whom it registered below it.
    """
    maker = Factory("A CA in transfer", now=datetime.now(UTC))
    pki.write_certificate(tmp_path / "ca.pem", maker.ca)
    assert 0 == firstlight("ca", "register", tmp_path / "ca.pem").code
    iot, leaf = laptop.client("iot"), maker.leaf()
    iot.register_certificate(certificatePem=leaf.pem, caCertificatePem=maker.ca.pem, status="ACTIVE")
    retire = ("ca", "retire", tmp_path / "ca.pem", "--disable-devices", "--delete", "--yes", "--json")

    with monkeypatch.context() as refusing:
        refusing.setattr(Switching, "_status", lambda *_: "")
        broken = firstlight(*retire)
    again = firstlight(*retire)

    assert (1, {leaf.fingerprint: "ERROR", "CA CN=A CA in transfer": "UNCHANGED"}) == (broken.code, became(broken.out))
    assert {leaf.fingerprint: "DISABLED", "CA CN=A CA in transfer": "DELETED"} == became(again.out)
    iot.delete_certificate(certificateId=leaf.fingerprint)


def _state(firstlight: Firstlight, maker: Factory) -> tuple[str, str]:
    facts = firstlight("ca", "describe", maker.ca.fingerprint, "--json").json
    return facts["status"], facts["auto_registration"]


def _status(iot: Any, fingerprint: str) -> str:
    return str(iot.describe_certificate(certificateId=fingerprint)["certificateDescription"]["status"])
