"""
The page docs/cli.md, as the program itself would write it: `make docs` does.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from firstlight.cli import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_HEAD = """# The command line

Results go to stdout, as a table or with `--json` for machines; everything else goes to stderr. Exit status: 0 done,
1 the answer is no, 2 you asked wrongly. This page is written by `make docs`, and a test holds it against the program.
"""


def render() -> str:
    """
    Return the whole page.
    """
    return _HEAD + "".join(_sections(cli, click.Context(cli, info_name="firstlight")))


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    # One width for every machine, whatever its terminal.
    context.terminal_width = context.max_content_width = 100
    yield f"\n## `{context.command_path}`\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _sections(found, click.Context(found, info_name=name, parent=context))


if __name__ == "__main__":
    PAGE.write_text(render())
