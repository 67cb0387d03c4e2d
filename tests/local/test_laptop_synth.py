"""
The synth that the laptop deploys: done once, done anew when anything it is made from changes.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from firstlight.deploy import synth
from firstlight.errors import DeploymentError, RegionsError, UsageError

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
