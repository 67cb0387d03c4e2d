"""
The firstlight command, run inside the test: what it exits with, prints and says.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from firstlight.cli import main


class Ran(NamedTuple):
    """
    `code` is the exit status; `said` is what went to stderr.
    """

    code: int
    out: str
    said: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Firstlight = Callable[..., Ran]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    """
    Return a function that runs `firstlight ARGUMENT…`.
    """

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["firstlight", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else int(code is not None), shown.out, shown.err)

    return run
