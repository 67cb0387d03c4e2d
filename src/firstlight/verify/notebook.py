"""
What becomes of checks, written down: the same for every cloud.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from firstlight.errors import SessionError
from firstlight.verify.report import Attempt, Check, MqttVersion, Outcome


class Planned(Protocol):
    """
    A check that is to be made.
    """

    @property
    def name(self) -> str: ...

    @property
    def proves(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Notebook:
    """
    Makes checks of what was seen.  *clock* is in seconds; *advice* says for a reason where to look.
    """

    clock: Callable[[], float]
    advice: Mapping[str, tuple[str, ...]]

    def passed(
        self,
        check: Planned,
        version: MqttVersion,
        began: float,
        detail: str = "",
        attempts: Iterable[Attempt] = (),
    ) -> Check:
        return Check(
            name=check.name,
            version=version,
            proves=check.proves,
            outcome=Outcome.PASSED,
            detail=detail,
            seconds=self.clock() - began,
            attempts=tuple(attempts),
        )

    def failed(
        self,
        check: Planned,
        version: MqttVersion,
        began: float,
        error: SessionError,
        attempts: Iterable[Attempt] = (),
    ) -> Check:
        return Check(
            name=check.name,
            version=version,
            proves=check.proves,
            outcome=Outcome.FAILED,
            detail=error.message,
            reason=error.reason,
            seconds=self.clock() - began,
            attempts=tuple(attempts),
            look_at=self.advice.get(error.reason, ()),
        )

    def not_run(self, checks: Iterable[Planned], version: MqttVersion, why: str, reason: str = "") -> list[Check]:
        return [
            Check(
                name=c.name,
                version=version,
                proves=c.proves,
                outcome=Outcome.NOT_RUN,
                detail=why,
                reason=reason,
                look_at=self.advice.get(reason, ()),
            )
            for c in checks
        ]
