"""
How commands speak: results to stdout, as a table or as JSON; everything else to stderr.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# What goes into a pipe or a file is not wrapped: an id broken in two is found by no search.
_UNWRAPPED = 1000
out = Console(width=None if sys.stdout.isatty() else _UNWRAPPED)
err = Console(stderr=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """
    Print *rows* under *columns*.  Cells are shown as they are: markup in them has no effect.
    """
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    out.print(table)


def print_json(value: Any) -> None:
    """
    Print *value* as indented JSON.
    """
    print(json.dumps(value, indent=2, default=str))  # noqa: T201 -- stdout is for results


def progress() -> Progress:
    """
    A progress bar on stderr with count, elapsed time and time left.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        # Rows that go to a file meanwhile must arrive there.
        redirect_stdout=sys.stdout.isatty(),
    )
