"""
A fact: what a cloud answered, or why it could not be read.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class UnreadError(Exception):
    """
    A cause needs a fact that could not be read; `problem` is the sentence that says why.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """
    `known` is what was read, unless `unread` says why nothing was.
    """

    known: T_co | None = None
    unread: str = ""

    @property
    def value(self) -> T_co:
        """
        Return what was read.

        Raises:
            UnreadError: nothing was.
        """
        if self.unread:
            raise UnreadError(self.unread)
        return self.known  # type: ignore[return-value]  # None is what was read, where T_co has it
