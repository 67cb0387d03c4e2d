"""
What verification found: data first, text later.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firstlight.verify.reasons import look_at


class MqttVersion(StrEnum):
    """
    The protocol versions AWS IoT speaks.
    """

    V5 = "5"
    V311 = "3.1.1"


class Outcome(StrEnum):
    """
    What became of one check.
    """

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One connect: when it ended (seconds after the check began), and how.

    `reason` is empty if the device came online.
    """

    at: float
    reason: str
    detail: str

    def to_json(self) -> dict[str, Any]:
        return {"at": round(self.at, 3), "reason": self.reason, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One check: what it proves, what became of it, and why if it did not pass.
    """

    name: str
    version: MqttVersion
    proves: str
    outcome: Outcome
    detail: str = ""
    reason: str = ""
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()

    @property
    def look_at(self) -> tuple[str, ...]:
        """
        Where to look, the likeliest cause first; nothing for a check that passed.
        """
        return () if self.outcome is Outcome.PASSED else look_at(self.reason)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "mqtt": self.version,
            "proves": self.proves,
            "outcome": self.outcome,
            "detail": self.detail,
            "reason": self.reason,
            "look_at": list(self.look_at),
            "seconds": round(self.seconds, 3),
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    Every check of one device.  `certificate` is the SHA-256 of its DER, AWS IoT's certificate id.
    """

    endpoint: str
    port: int
    client_id: str
    certificate: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """
        Whether there were checks and every one passed; one that did not run did not pass.
        """
        return bool(self.checks) and all(check.outcome is Outcome.PASSED for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """
        Return the report as what `--json` prints; docs/verify.md describes it.
        """
        return {
            "endpoint": self.endpoint,
            "port": self.port,
            "client_id": self.client_id,
            "certificate": self.certificate,
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "checks": [check.to_json() for check in self.checks],
        }
