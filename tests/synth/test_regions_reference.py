"""
docs/regions.md and docs/deploy-aws.md say what is there.
"""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from firstlight import regions
from firstlight.outputs import IngestOutput, JitpOutput
from firstlight.regions import AwsRegion
from tests.synth.conftest import CHECKOUT, Synthesized

_REFERENCE = CHECKOUT / "docs" / "regions.md"


def test_every_key_is_documented_with_its_default() -> None:
    """
    Each key of regions.toml has one line in docs/regions.md, and nothing else has.
    """
    documented = re.findall(r"^\| `(\w+)` \| (\S+) \|", _REFERENCE.read_text("utf-8"), re.MULTILINE)

    assert sorted((f.name, _shown(f.default)) for f in fields(AwsRegion) if f.name != "name") == sorted(documented)


def test_the_example_is_one(tmp_path: Path) -> None:
    """
    Its keys exist, and its values are of their kind.
    """
    (example,) = re.findall(r"```toml\n(.*?)```", _REFERENCE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").touch()
    (tmp_path / "regions.toml").write_text(example)

    assert ["eu-west-1", "us-east-1"] == [r.name for r in regions.load(tmp_path / "regions.toml").aws]


def test_the_page_about_deploying_names_stacks_and_outputs(committed: Synthesized) -> None:
    """
    What it shows of `cdk ls` is what there is; every output is explained.
    """
    page = (CHECKOUT / "docs" / "deploy-aws.md").read_text("utf-8")
    (listed,) = re.findall(r"\$ cdk ls\n((?:\w.*\n)+)", page)

    assert set(committed.templates) == set(listed.split())
    assert [] == [o for o in (*IngestOutput, *JitpOutput) if f"`{o}`" not in page]


def _shown(default: Any) -> str:
    assert default is not MISSING
    match default:
        case None:
            return "none"
        case tuple():
            return f"`{list(default)}`"
        case _:
            return f"`{json.dumps(default)}`"
