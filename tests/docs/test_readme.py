import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from firstlight.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: Path) -> Iterator[str]:
    yield from re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def _commands(page: Path) -> Iterator[list[str]]:
    for block in _blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:\$ )?(?:\w+=\S+ )*(?:\.venv/bin/)?(firstlight|make) ?(.*)", line)
            if found:
                yield [found[1], *shlex.split(found[2], comments=True)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """
    A file that moves takes its links along.
    """
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_that_are_shown_exist_as_they_are_shown(page: Path) -> None:
    """
    Every `make` target and every `firstlight` command line on a page is one the program understands.
    """
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for program, *arguments in _commands(page):
        if program == "make":
            assert {a for a in arguments if "=" not in a} <= targets, arguments
        elif "…" not in arguments and "..." not in arguments:
            _understand(arguments)


def _understand(arguments: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli, info_name="firstlight")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        found = command.get_command(context, arguments[0])
        assert found is not None, f"there is no command {arguments[0]}"
        command, arguments = found, arguments[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    options = {o for parameter in command.params for o in parameter.opts + parameter.secondary_opts} | {"--help"}
    used = {a.partition("=")[0] for a in arguments if a.startswith("--")}
    assert used <= options, f"{command.name} has no {used - options}"


def test_the_first_screen_says_what_this_is() -> None:
    """
    One sentence and the two commands, before anything else.
    """
    head = (ROOT / "README.md").read_text()[:700]

    assert "make demo" in head
    assert "make test" in head
