"""
The log of JITP runs: one line a person can read for each attempt, and the same as values.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from firstlight.local.mqtt.journal import one_line

_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One JITP run.  `reason` and `hint` are empty when the device was provisioned; `milliseconds` is how long it took.
    """

    at: datetime
    certificate_id: str
    subject: str
    issuer_id: str
    template: str
    thing_name: str = ""
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    milliseconds: int = 0

    @property
    def provisioned(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        result = f"PROVISIONED {self.thing_name or '(no thing)'}" if self.provisioned else f"FAILED {self.reason}"
        extra = " ".join([self.hint, *(f"({note})" for note in self.notes)]).strip()
        return one_line(
            f"{self.at:%Y-%m-%dT%H:%M:%SZ} {result}{' ' + extra if extra else ''} "
            f"[certificate {self.certificate_id[:16]}… {self.subject or 'without a subject'}, "
            f"CA {self.issuer_id[:16]}…, {self.template}, {self.milliseconds} ms]"
        )


@dataclass
class AttemptLog:
    """
    Appends to *path*, if there is one; `latest` holds the last thousand.
    """

    path: Path | None = None
    latest: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _file: TextIO | None = None

    def add(self, attempt: Attempt) -> None:
        self.latest.append(attempt)
        if self.path is not None:
            if self._file is None:
                # line by line, for whoever reads along
                self._file = self.path.open("a", encoding="utf-8", buffering=1)
            self._file.write(f"{attempt}\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
