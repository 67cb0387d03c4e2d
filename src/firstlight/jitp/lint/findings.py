"""
What a check found: how bad, where, one sentence, and the remedy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """
    ERROR: devices will not be provisioned, or not as meant.  WARNING: they may be.
    """

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing found; *where* is a place in the template ("Resources.thing") or "certificate".
    """

    severity: Severity
    where: str
    sentence: str
    remedy: str = ""


def error(where: str, sentence: str, remedy: str = "") -> Finding:
    """
    Return a finding that keeps devices from being provisioned.
    """
    return Finding(Severity.ERROR, where, sentence, remedy)


def warning(where: str, sentence: str, remedy: str = "") -> Finding:
    """
    Return a finding to think about.
    """
    return Finding(Severity.WARNING, where, sentence, remedy)


def has_errors(findings: Iterable[Finding]) -> bool:
    """
    Whether one of *findings* is an error.
    """
    return any(f.severity is Severity.ERROR for f in findings)
