import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight.demo import story
from tests.factory import Factory

# the Azure device SDK's own, of its MQTT client
pytestmark = [
    pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

REAL = Path(__file__).parents[3] / "shared" / "data" / "cloudid"


def _reel(folder: Path, *serials: int) -> Path:
    folder.mkdir()
    factory = Factory(now=datetime.now(UTC))
    for serial in serials:
        (folder / f"{serial:x}.pem").write_text(factory.leaf(serial=serial).pem)
    return folder


def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    """
    Ten pushed devices and three unannounced ones publish, the wrong ones are refused, nothing is left.
    """
    steps: list[str] = []

    findings = story.run(tmp_path / "demo", reel=None, tell=steps.append)

    online = [d for d in findings.devices if d.online]
    assert findings.held, [f for f in findings.findings if not f.held]
    assert 10 <= len([d for d in online if d.arrived == "pushed"])
    assert 3 <= len([d for d in online if d.arrived == "just in time"])
    assert {"Infineon_15fc8ea1", "Infineon_0455aecb"} <= {d.name for d in online}
    on_azure = [d for d in online if d.cloud == "Azure"]
    assert 10 <= len([d for d in on_azure if d.arrived == "pushed"])
    assert 3 <= len([d for d in on_azure if d.arrived == "just in time"])
    assert {"15fc8ea1", "0455aecb"} <= {d.name for d in on_azure}
    assert "refused: chain-not-sent" in {f.seen for f in findings.findings}
    assert len(steps) >= len([f for f in findings.findings if f.cloud == "AWS"]) - 2


def test_a_reel_of_ones_own_is_registered_under_its_names(tmp_path: Path) -> None:
    """
    Certificates without keys are pushed too, and take their names from the demo's own reel.
    """
    real = REAL if REAL.is_dir() else _reel(tmp_path / "reel", 0x15FC8EA1, 0x0455AECB)

    findings = story.run(tmp_path / "demo", reel=real, tell=lambda _: None)

    assert findings.held, [f for f in findings.findings if not f.held]
    without_keys = {d.name for d in findings.devices if d.online is None}
    assert {"Infineon_15fc8ea1", "Infineon_0455aecb", "15fc8ea1", "0455aecb"} == without_keys


def test_the_demo_can_say_no(tmp_path: Path) -> None:
    """
    A certificate that cannot be provisioned in the reel means that not everything held.
    """
    reel = tmp_path / "reel"
    reel.mkdir()
    authority = Factory(now=datetime.now(UTC)).ca
    (reel / "ca.pem").write_text(authority.pem)

    findings = story.run(tmp_path / "demo", reel=reel, tell=lambda _: None)

    assert not findings.held
    assert ["reel pushed", "same reel again"] * 2 == [f.what for f in findings.findings if not f.held]


def test_a_port_that_still_answers_is_noticed() -> None:
    """
    What says that nothing is left running would say otherwise.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert story._answers(port)  # noqa: SLF001 -- only the end of a whole demo asks it
    assert not story._answers(port)  # noqa: SLF001 -- as above
