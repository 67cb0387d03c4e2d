"""
What `firstlight demo` prints of what the story saw, and how it ends.
"""

from pathlib import Path
from typing import Any

import pytest

from firstlight.demo import story
from firstlight.demo.findings import DeviceRow, Findings
from tests.command_line import Firstlight, runner

ONLINE = DeviceRow("device-1", "pushed", online=True, seen="online in 1.0 s")
OFFLINE = DeviceRow("device-2", "pushed", online=False, seen="closed")
KEYLESS = DeviceRow("device-3", "pushed", online=None, seen="registered; its key is not here")


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    return runner(monkeypatch, capsys)


def _seen(monkeypatch: pytest.MonkeyPatch, *devices: DeviceRow, held: bool) -> None:
    findings = Findings(list(devices), logs="" if held else "the-folder")
    findings.note("reel pushed", "12 of 12 SUCCESS", held=True)
    findings.note("nothing left running", "ports 1 and 2", held=held)

    def run(folder: Path, **_: Any) -> Findings:
        return findings

    monkeypatch.setattr(story, "run", run)


@pytest.mark.parametrize(
    ("devices", "held", "status"),
    [
        ((ONLINE, KEYLESS), True, 0),
        ((ONLINE, KEYLESS), False, 1),
        ((ONLINE, OFFLINE), True, 1),
    ],
    ids=["everything", "not one finding", "not one device"],
)
def test_the_demo_ends_with_0_only_if_everything_held(
    firstlight: Firstlight,
    monkeypatch: pytest.MonkeyPatch,
    devices: tuple[DeviceRow, ...],
    held: bool,  # noqa: FBT001 -- a parameter of pytest's
    status: int,
) -> None:
    """
    Whoever runs it in CI has nothing else to go by; the table and the JSON say the same.
    """
    _seen(monkeypatch, *devices, held=held)

    shown, told = firstlight("demo"), firstlight("demo", "--json")

    assert (status, status) == (shown.code, told.code)
    assert ("NOT everything held" in shown.out) == (status == 1)
    assert told.json["held"] is (status == 0)
