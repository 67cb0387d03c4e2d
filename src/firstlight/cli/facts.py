"""
Facts about one thing: a name and a value a line, never folded, so that values can be copied.
"""

from collections.abc import Mapping

import click

from firstlight.cli import output


def print_facts(facts: Mapping[str, object], *, as_json: bool) -> None:
    """
    Print *facts* to stdout, as lines or as a JSON object; an empty value is left out of the lines.
    """
    if as_json:
        output.print_json(dict(facts))
        return
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        if value not in ("", None):
            click.echo(f"{name.replace('_', ' '):<{width}}{printable(value)}")


def printable(value: object) -> str:
    """
    Return *value* as text without control characters: what comes out of a certificate must not steer a terminal.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
