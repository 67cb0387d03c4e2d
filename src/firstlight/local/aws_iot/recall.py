"""
Answers that all devices share, kept for a moment: a burst of first connects asks for them once.
"""

from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


class Recall:
    """
    *seconds* is how old an answer may be; "there is none" is always asked again.

    Threads may ask the same at the same time; then both ask.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[tuple[str, str], tuple[float, Any]] = {}

    def __call__(self, question: str, about: str, ask: Callable[[], _T]) -> _T:
        known = self._answers.get((question, about))
        if known is not None and self._clock() - known[0] < self._seconds:
            answer: _T = known[1]
            return answer
        asked_at = self._clock()
        answer = ask()
        if answer:
            self._answers[question, about] = (asked_at, answer)
        return answer
