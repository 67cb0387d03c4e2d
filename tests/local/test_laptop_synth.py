"""
The synth that the laptop deploys: done once, done anew when anything it is made from changes.
"""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstlight.deploy import synth
from firstlight.errors import DeploymentError, RegionsError, UsageError
from tests.local import processes

# Says what it was told and counts how often it ran; the real one is tested in tests/synth.
APP = """
import json, os, pathlib
runs = pathlib.Path("runs")
runs.write_text(str(int(runs.read_text()) + 1) if runs.exists() else "1")
out = pathlib.Path(os.environ["CDK_OUTDIR"])
(out / "manifest.json").write_text(json.dumps(dict(os.environ)))
"""


@dataclass(frozen=True)
class Checkout:
    """
    As much of a checkout as a synth looks at.
    """

    folder: Path

    @property
    def regions(self) -> Path:
        return self.folder / "regions.toml"

    @property
    def runs(self) -> int:
        return int((self.folder / "runs").read_text())

    def synthesize(self) -> Path:
        return synth.synthesize(self.folder, self.regions, self.folder / "cache")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name, text in {
        "cdk/app.py": APP,
        "src/firstlight/core.py": "x = 1\n",
        "lambdas/interop.py": "",
        "ca.pem": "a CA",
        "regions.toml": '[aws.eu-west-1]\ningest = false\nca_certificates = ["ca.pem"]\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Checkout(tmp_path)


def test_the_same_content_is_synthesized_once(checkout: Checkout) -> None:
    """
    A second start of the laptop does not wait for a synth.
    """
    assert checkout.synthesize() == checkout.synthesize()
    assert 1 == checkout.runs


@pytest.mark.parametrize(
    "file", ["cdk/app.py", "src/firstlight/core.py", "lambdas/interop.py", "regions.toml", "ca.pem"]
)
def test_whatever_changes_is_synthesized_anew(checkout: Checkout, file: str) -> None:
    """
    Stacks, library, handler, regions and the files they name: a stale template is never deployed.
    """
    first = checkout.synthesize()
    with (checkout.folder / file).open("a") as changed:
        changed.write("# changed\n")

    second = checkout.synthesize()

    assert 2 == checkout.runs
    assert first != second
    assert [second] == list((checkout.folder / "cache").iterdir())


def test_a_synth_meets_no_credentials(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the engineer's shell knows of AWS stays there.
    """
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")

    told = (checkout.synthesize() / "manifest.json").read_text()

    assert "AWS_" not in told
    assert str(checkout.regions) in told


def test_a_synth_that_fails_is_said_and_not_kept(checkout: Checkout) -> None:
    """
    The last line it wrote is the reason; the next try is a new one.
    """
    (checkout.folder / "cdk" / "app.py").write_text('import sys\nsys.exit("ca.pem is no CA certificate.")\n')

    with pytest.raises(DeploymentError, match=r"^The synth failed: ca\.pem is no CA certificate\.$"):
        checkout.synthesize()

    (checkout.folder / "cdk" / "app.py").write_text(APP)
    assert (checkout.synthesize() / "manifest.json").is_file()


def test_regions_are_looked_at_first(checkout: Checkout) -> None:
    """
    A wrong regions file is the regions file's error, exit 2, not a failed synth.
    """
    checkout.regions.write_text("[aws.nowhere]\n")

    with pytest.raises(RegionsError):
        checkout.synthesize()


def test_elsewhere_than_in_a_checkout_is_said(tmp_path: Path) -> None:
    """
    The wheel has no stacks.
    """
    with pytest.raises(UsageError, match=r"has no cdk/app\.py"):
        synth.synthesize(tmp_path, tmp_path / "regions.toml", tmp_path / "cache")


# Starts a process that holds on to everything, as a Node.js may, and says its id.
HOLDS_ON = """
import pathlib, subprocess, sys, time
holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("holder.new").write_text(str(holder.pid))
pathlib.Path("holder.new").rename("holder")
"""


def test_nothing_of_a_failed_synth_is_left(checkout: Checkout) -> None:
    """
    The end of the synth is not waited for longer because a process of it goes on, and that one ends too.
    """
    (checkout.folder / "cdk" / "app.py").write_text(HOLDS_ON + 'sys.exit("No.")\n')

    with pytest.raises(DeploymentError, match=r"^The synth failed: No\.$"):
        checkout.synthesize()

    assert processes.soon(lambda: not _runs(int((checkout.folder / "holder").read_text())))


def test_a_synth_that_does_not_end_is_ended(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With everything it started.
    """
    monkeypatch.setattr(synth, "_LONGEST", 2.0)
    (checkout.folder / "cdk" / "app.py").write_text(HOLDS_ON + "time.sleep(600)\n")

    with pytest.raises(DeploymentError, match=r"^The synth did not end within 2 seconds\.$"):
        checkout.synthesize()

    assert processes.soon(lambda: not _runs(int((checkout.folder / "holder").read_text())))


def test_an_interrupted_synth_leaves_nothing(checkout: Checkout) -> None:
    """
    Ctrl-C goes to the one who waits; what it started goes with it.
    """
    (checkout.folder / "cdk" / "app.py").write_text(HOLDS_ON + "time.sleep(600)\n")
    holder = checkout.folder / "holder"
    waiting = (
        "import pathlib, sys; from firstlight.deploy import synth; folder = pathlib.Path(sys.argv[1]); "
        "synth.synthesize(folder, folder / 'regions.toml', folder / 'cache')"
    )

    with subprocess.Popen([sys.executable, "-c", waiting, str(checkout.folder)], stderr=subprocess.DEVNULL) as process:
        assert processes.soon(holder.exists)
        process.send_signal(signal.SIGINT)

    assert 0 != process.returncode
    assert processes.soon(lambda: not _runs(int(holder.read_text())))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
