"""
What verification found: data first, text later.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firstlight.verify.reasons import Reason


class MqttVersion(StrEnum):
    """
    The protocol versions a device speaks: AWS IoT has both, Azure the older one.
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
    One check: what it proves, what became of it, and why if it did not pass; then `look_at` says where, the
    likeliest cause first.
    """

    name: str
    version: MqttVersion
    proves: str
    outcome: Outcome
    detail: str = ""
    reason: str = ""
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    look_at: tuple[str, ...] = ()

    @property
    def impossible(self) -> bool:
        """
        Whether it needs a service side and nobody gave one: no fault of the device.
        """
        return self.outcome is Outcome.NOT_RUN and self.reason == Reason.NO_SERVICE

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
    Every check of one device.  `certificate` is the SHA-256 of its DER: AWS IoT's certificate id, Azure's thumbprint.
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
        Whether there were checks and every one passed; one that did not run did not pass, unless it was impossible.
        """
        counted = [check.outcome for check in self.checks if not check.impossible]
        return bool(counted) and all(outcome is Outcome.PASSED for outcome in counted)

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
