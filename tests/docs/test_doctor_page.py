"""
The page docs/doctor.md lists every cause that is looked for, in the order it is looked for.
"""

import re
from pathlib import Path

from firstlight.doctor.aws_causes import CAUSES as AWS
from firstlight.doctor.azure_causes import CAUSES as AZURE

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
_ROW = re.compile(r"\| `([a-z-]+)` \| (.+?) \|")


def _rows(heading: str) -> list[tuple[str, str]]:
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [(row[1], row[2]) for row in _ROW.finditer(section)]


def test_the_page_lists_every_cause_on_aws() -> None:
    """
    Code and title, first what a device meets first.
    """
    assert [(cause.code, cause.title) for cause in AWS] == _rows("Causes on AWS")


def test_the_page_lists_every_cause_on_azure() -> None:
    """
    As above.
    """
    assert [(cause.code, cause.title) for cause in AZURE] == _rows("Causes on Azure")
