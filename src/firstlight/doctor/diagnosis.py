"""
What stands between one device and its cloud, in order; then what is fine, and what could not be read.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """
    UNDECIDED: nothing was found, not everything could be read, and no connection proved it.
    """

    HEALTHY = "healthy"
    BLOCKED = "blocked"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    A cause that was found.  `mend` are commands, in order; not `certain` is what may stand in the way.
    """

    code: str
    title: str
    evidence: str
    mend: tuple[str, ...] = ()
    advice: str = ""
    certain: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "title": self.title,
            "evidence": self.evidence,
            "mend": list(self.mend),
            "advice": self.advice,
            "certain": self.certain,
        }


@dataclass(frozen=True, slots=True)
class Unread:
    """
    A fact that could not be read, and the codes of the causes that could not be judged for want of it.
    """

    problem: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """
    How the device's own connection went; `reason` is one of firstlight.verify.reasons, empty when it came online.
    """

    online: bool
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """
    `device` is the name it connects under, `certificate` the SHA-256 of the DER, `fine` (code, sentence) pairs.
    """

    cloud: str
    device: str
    certificate: str
    findings: tuple[Finding, ...]
    fine: tuple[tuple[str, str], ...]
    unread: tuple[Unread, ...]
    connection: Connection | None = None

    @property
    def verdict(self) -> Verdict:
        if any(finding.certain for finding in self.findings):
            return Verdict.BLOCKED
        if self.unread and not (self.connection and self.connection.online):
            return Verdict.UNDECIDED
        return Verdict.HEALTHY

    def to_json(self) -> dict[str, Any]:
        """
        Return what `--json` prints; docs/doctor.md describes it.
        """
        tried = self.connection
        return {
            "cloud": self.cloud,
            "device": self.device,
            "certificate": self.certificate,
            "verdict": self.verdict,
            "findings": [finding.to_json() for finding in self.findings],
            "fine": [{"code": code, "evidence": evidence} for code, evidence in self.fine],
            "unread": [{"problem": one.problem, "codes": list(one.codes)} for one in self.unread],
            "connection": tried and {"online": tried.online, "reason": tried.reason, "detail": tried.detail},
        }
