"""
docs/regions.md and docs/deploy-aws.md say what is there.
"""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from firstlight import regions
from firstlight.outputs import AzureOutput, IngestOutput, JitpOutput
from firstlight.regions import AwsRegion, AzureRegion
from tests.synth.conftest import CHECKOUT, Synthesized

_REFERENCE = CHECKOUT / "docs" / "regions.md"


@pytest.mark.parametrize(("cloud", "kind"), [(0, AwsRegion), (1, AzureRegion)])
def test_every_key_is_documented_with_its_default(cloud: int, kind: type[AwsRegion] | type[AzureRegion]) -> None:
    """
    Each key of a region of this cloud has one line in its half of docs/regions.md, and nothing else has.
    """
    half = _REFERENCE.read_text("utf-8").split("\n## Azure\n")[cloud]
    documented = re.findall(r"^\| `(\w+)` \| (\S+) \|", half, re.MULTILINE)

    assert sorted((f.name, _shown(f.default)) for f in fields(kind) if f.name != "name") == sorted(documented)


def test_the_examples_are_some(tmp_path: Path) -> None:
    """
    Their keys exist, and their values are of their kind.
    """
    aws, azure = re.findall(r"```toml\n(.*?)```", _REFERENCE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").touch()
    (tmp_path / "regions.toml").write_text(aws + azure)
    found = regions.load(tmp_path / "regions.toml")

    assert ["eu-west-1", "us-east-1"] == [r.name for r in found.aws]
    assert ["westeurope"] == [r.name for r in found.azure]


def test_the_page_about_azure_explains_outputs_and_roles() -> None:
    """
    Every output of the template, and every role it gives, by its id.
    """
    page = (CHECKOUT / "docs" / "deploy-azure.md").read_text("utf-8")
    template = (CHECKOUT / "azure" / "infra" / "azuredeploy.json").read_text("utf-8")
    ids = re.findall(r'": "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"', template)

    assert [] == [o for o in AzureOutput if f"`{o}`" not in page]
    assert [] == [i for i in ids if f"`{i}`" not in page]


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
