"""
The log of JITP runs: one line a person can read for each attempt, and the same as values.
"""

from dataclasses import dataclass
from datetime import datetime

from firstlight.local.mqtt.journal import one_line
from firstlight.local.mqtt.line_log import LineLog


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


AttemptLog = LineLog[Attempt]
