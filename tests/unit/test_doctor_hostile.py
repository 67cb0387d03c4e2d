"""
Names that somebody else chose do nothing in the commands that the doctor prints, nor to the terminal.
"""

import importlib
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.doctor.azure_case import AzureCase, Hub, Identity, Told
from firstlight.doctor.azure_causes import CAUSES as AZURE_CAUSES
from firstlight.doctor.causes import Cause
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis, Finding, Unread
from firstlight.doctor.examination import examine
from firstlight.doctor.facts import Fact
from tests.command_line import runner
from tests.factory import NOW, Factory
from tests.unit import test_doctor_aws as aws

FILE, KEY = "$(id) `id`; a'b.pem", "--all; b.key"
# AWS IoT takes no such name for a thing; a hub takes it for a device.
HOSTILE = "$(reboot)'"
STEERS = "\x1b[31mred\x1b]0;title\x07\u202e"


def commands(case: Any, causes: tuple[Cause[Any], ...]) -> list[list[str]]:
    found = examine(case, causes, cloud="any", device="d", certificate="c", connection=None).findings
    assert found
    return [shlex.split(line) for finding in found for line in finding.mend]


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_files_name_is_one_word_of_the_command(status: str) -> None:
    """
    Whatever the shell would make of it.
    """
    device = Device.shown(aws.MAKER.leaf("sensor-1").pem.encode(), file=FILE, key_file=KEY, now=NOW)
    case = replace(aws.pushed(registered=Fact(aws.Registered(status=status))), device=device)

    first = commands(case, aws.CAUSES)[0]

    assert FILE in first
    assert "firstlight" == first[0]


def test_a_devices_id_is_one_word_of_the_command() -> None:
    """
    An id that a hub takes may be a command of the shell's.
    """
    leaf = Factory().leaf(HOSTILE)
    identity = Identity(id=HOSTILE, kind="selfSigned", thumbprints=frozenset({leaf.fingerprint}), enabled=False)
    hub = "hub.azure-devices.net"
    case = AzureCase(
        device=Device(certificate=leaf, now=NOW),
        region="westeurope",
        group="firstlight",
        told=Told(hub=hub),
        through_dps=False,
        name=HOSTILE,
        dps=Fact(None),
        hub=Fact(Hub(host=hub, identity=Fact(identity))),
    )

    found = commands(case, AZURE_CAUSES)

    assert [["firstlight", "az"], [True, True]] == [
        [words[0] for words in found],
        [HOSTILE in words for words in found],
    ]


def test_nothing_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """
    What is printed is printable, wherever the text came from.
    """
    finding = Finding(code="code", title="A title", evidence=STEERS, mend=(STEERS,), advice=STEERS)
    diagnosis = Diagnosis(
        cloud="aws",
        device=STEERS,
        certificate="c",
        findings=(finding,),
        fine=(("fine", STEERS),),
        unread=(Unread(STEERS, ("code",)),),
    )
    command = importlib.import_module("firstlight.cli.doctor_aws")
    monkeypatch.setattr(command, "diagnosed", lambda *_: diagnosis)
    pki.write_certificate(tmp_path / "device.pem", Factory().leaf("sensor-1"))

    ran = runner(monkeypatch, capsys)("doctor", "--cert", tmp_path / "device.pem")

    assert (1, 6) == (ran.code, ran.out.count("red"))
    assert all(line.isprintable() for line in ran.out.splitlines()), ran.out
