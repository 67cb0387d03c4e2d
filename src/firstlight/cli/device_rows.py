"""
How commands about many devices answer: a row a device, as soon as it is known.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click

from firstlight.cli import output, plain
from firstlight.lifecycle.rows import Became, Listed, Row

T = TypeVar("T")
_NAME = 32  # characters that a name usually takes


def with_progress(rows: Iterable[T], *, total: int, doing: str) -> Iterator[T]:
    """
    Yield *rows*, and show on stderr how many of *total* there have been, unless the rows themselves are on the screen.
    """
    if sys.stdout.isatty() or not sys.stderr.isatty() or total == 1:
        yield from rows
        return
    with output.progress() as bar:
        task = bar.add_task(doing, total=total)
        for row in rows:
            yield row
            bar.advance(task)


def print_listed(devices: Iterable[Listed], *, as_json: bool) -> None:
    """
    Print devices as they are found, and how many there were.
    """
    count = 0
    for device in devices:
        count += 1
        if as_json:
            _print_json(device.to_json())
            continue
        certificate = ", ".join(device.certificates)
        words = (device.state or "-", f"{device.name:<{_NAME}}", certificate, device.connection, device.kind)
        click.echo(plain("  ".join([f"{words[0]:<18}", *filter(None, words[1:])])))
    click.echo(f"firstlight: {count:,} device{'' if count == 1 else 's'}.", err=True)


def print_rows(rows: Iterable[Row], *, as_json: bool) -> bool:
    """
    Print what became of each device, and a summary; return whether there was no ERROR.
    """
    counts: Counter[Became] = Counter()
    for row in rows:
        counts[row.became] += 1
        if as_json:
            _print_json(row.to_json())
            continue
        click.echo(plain(f"{row.became:<10}{row.name:<{_NAME}}  {row.message} {row.hint}".rstrip()))
        if row.became is Became.FORESEEN:
            for step in row.done:
                click.echo(plain(f"{'':<10}  would have {step}"))
    told = ", ".join(f"{count:,} {became}" for became, count in counts.items()) or "nothing to do"
    click.echo(f"firstlight: {told}.", err=True)
    return not counts[Became.ERROR]


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """
    Print nested *facts*, indented; what is empty is left out of the lines.
    """
    if as_json:
        output.print_json(dict(facts))
        return
    _print_nested(facts, "")


def _print_nested(facts: Mapping[str, Any], indent: str) -> None:
    width = max(map(len, facts), default=0) + 2
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping) and value:
            click.echo(f"{indent}{label}")
            _print_nested(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for entry in value:
                click.echo(f"{indent}{label.removesuffix('s')}")
                _print_nested(entry, indent + "  ")
        elif isinstance(value, list) and value:
            click.echo(plain(f"{indent}{label:<{width}}{', '.join(map(str, value))}"))
        elif value not in ("", None, [], {}):
            click.echo(plain(f"{indent}{label:<{width}}{value}"))


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value))
