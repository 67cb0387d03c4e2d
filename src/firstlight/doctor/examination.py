"""
Look for every cause, in the order a device meets them.
"""

from collections.abc import Iterable
from typing import TypeVar

from firstlight.doctor.causes import Cause, Fine, Found
from firstlight.doctor.diagnosis import Connection, Diagnosis, Finding, Unread
from firstlight.doctor.facts import UnreadError

C = TypeVar("C")
_ALL_THE_SAME = "The device came online all the same."


def examine(
    case: C, causes: Iterable[Cause[C]], *, cloud: str, device: str, certificate: str, connection: Connection | None
) -> Diagnosis:
    """
    Return the diagnosis of *case*, found with *causes* in their order.

    A device that came online is kept out by nothing: what was found may matter another time.
    """
    findings: list[Finding] = []
    fine: list[tuple[str, str]] = []
    unread: dict[str, list[str]] = {}
    for cause in causes:
        try:
            seen = cause.look(case)
        except UnreadError as e:
            unread.setdefault(e.problem, []).append(cause.code)
            continue
        match seen:
            case Found():
                findings.append(_finding(cause, seen, connection))
            case Fine(evidence):
                fine.append((cause.code, evidence))
    return Diagnosis(
        cloud=cloud,
        device=device,
        certificate=certificate,
        findings=tuple(sorted(findings, key=lambda finding: not finding.certain)),
        fine=tuple(fine),
        unread=tuple(Unread(problem, tuple(codes)) for problem, codes in unread.items()),
        connection=connection,
    )


def _finding(cause: Cause[C], seen: Found, connection: Connection | None) -> Finding:
    online = connection is not None and connection.online
    return Finding(
        code=cause.code,
        title=cause.title,
        evidence=seen.evidence,
        mend=seen.mend,
        advice=f"{seen.advice} {_ALL_THE_SAME}".strip() if online and seen.certain else seen.advice,
        certain=seen.certain and not online,
    )
