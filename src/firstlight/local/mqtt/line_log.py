"""
A log of what a laptop cloud decided about devices: a line each for people, and the same as values.
"""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TextIO, TypeVar

from firstlight.local.mqtt.journal import one_line

_KEPT = 1_000
_Entry = TypeVar("_Entry")


@dataclass
class LineLog(Generic[_Entry]):
    """
    Appends `str(entry)` to *path*, if there is one; `latest` holds the last thousand entries.
    """

    path: Path | None = None
    latest: deque[_Entry] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _file: TextIO | None = None

    def add(self, entry: _Entry) -> None:
        self.latest.append(entry)
        if self.path is not None:
            if self._file is None:
                # line by line, for whoever reads along
                self._file = self.path.open("a", encoding="utf-8", buffering=1)
            self._file.write(f"{one_line(str(entry))}\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
