"""
What a cause is: a code, a title, and one function that looks for it in a case.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Found:
    """
    The cause is there.  `evidence` is a sentence that names what was read; `mend` are commands, in order.

    `advice` says what no command mends.  Not `certain` is what may stand in the way and need not.
    """

    evidence: str
    mend: tuple[str, ...] = ()
    advice: str = ""
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Fine:
    """
    It was looked for and is not there; `evidence` is a sentence about what is there instead.
    """

    evidence: str


# None: the question does not arise for this device.
Look = Callable[[C_contra], Found | Fine | None]


@dataclass(frozen=True, slots=True)
class Cause(Generic[C_contra]):
    """
    `code` is stable, for machines; `title` is a sentence for people without a full stop.

    `look` may read any fact of the case; the examination catches the UnreadError of one that could not be read.
    """

    code: str
    title: str
    look: Look[C_contra]
