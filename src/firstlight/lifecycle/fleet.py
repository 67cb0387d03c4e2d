"""
What an operator may ask of a fleet, whichever cloud has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from firstlight.lifecycle import aws_list, aws_show
from firstlight.lifecycle.aws_retire import Retiring
from firstlight.lifecycle.aws_switch import Switching
from firstlight.lifecycle.rows import Listed, Row, Wanted, Which


class Fleet(Protocol):
    """
    The devices of one region of one cloud.

    `at_once` are the threads that may use it.  What answers a `Row` raises nothing; what else there is raises
    RegistryError.  `states` are the words that `Wanted.states` and `Listed.state` are written with.
    """

    @property
    def at_once(self) -> int: ...

    @property
    def states(self) -> tuple[str, ...]: ...

    def list(self, wanted: Wanted) -> Iterator[Listed]: ...

    def show(self, which: Which) -> dict[str, Any]: ...

    def disable(self, which: Which) -> Row: ...

    def enable(self, which: Which) -> Row: ...

    def retire(self, which: Which, *, forget: bool, really: bool) -> Row: ...


@dataclass(frozen=True)
class AwsFleet:
    """
    The things of AWS IoT in the region of *iot*, a client of firstlight.boto that is paced.
    """

    iot: Any
    at_once: int = 16
    states: tuple[str, ...] = aws_list.STATES

    def list(self, wanted: Wanted) -> Iterator[Listed]:
        return aws_list.listed(self.iot, wanted, at_once=self.at_once)

    def show(self, which: Which) -> dict[str, Any]:
        return aws_show.show(self.iot, which)

    def disable(self, which: Which) -> Row:
        return Switching(self.iot, on=False)(which)

    def enable(self, which: Which) -> Row:
        return Switching(self.iot, on=True)(which)

    def retire(self, which: Which, *, forget: bool, really: bool) -> Row:
        return Retiring(self.iot, forget=forget, really=really)(which)
