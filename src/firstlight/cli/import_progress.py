"""
How far an import is: a bar on a terminal, a line now and then elsewhere; both on stderr.
"""

import time
from types import TracebackType
from typing import Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from firstlight.cli import output
from firstlight.importing.estimate import Estimate, in_words
from firstlight.importing.run import Tally

# Seconds between two lines.
_EVERY = 5.0


class ImportProgress:
    """
    Shows a `Tally` against *total*.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._estimate = Estimate(time.monotonic())
        self._said = time.monotonic()
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=output.err,
            transient=True,
            disable=not output.err.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def heard(self, tally: Tally) -> None:
        """
        Take *tally* as it is now.
        """
        now = time.monotonic()
        # what was done before takes no time, and says nothing about what does
        self._estimate.saw(now, tally.finished - tally.before)
        rate = self._estimate.rate(now)
        left = in_words(self._estimate.seconds_left(now, self._total - tally.finished))
        words = f"{tally.failed} ERROR, {rate:.0f} a second, {left}"
        self._bar.update(self._task, completed=tally.finished, description=words)
        if not output.err.is_terminal and now - self._said >= _EVERY and tally.finished < self._total:
            self._said = now
            click.echo(f"{tally.finished} of {self._total}: {words}", err=True)
