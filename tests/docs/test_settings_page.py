import re
from dataclasses import fields
from pathlib import Path

from firstlight.settings import Settings, variable

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_has_its_row_and_no_other() -> None:
    """
    The page is complete, and names nothing that is gone.
    """
    rows = re.findall(r"^\| `(FIRSTLIGHT_\w+)` \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(variable(f.name) for f in fields(Settings)) == sorted(rows)


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    """
    A default that changes in the code changes on the page.
    """
    text = PAGE.read_text()
    for f in fields(Settings):
        default = str(f.default)
        if default and f.name != "thing_prefix":
            assert re.search(rf"^\| `{variable(f.name)}` \| `{re.escape(default)}` \|", text, re.MULTILINE), f.name
