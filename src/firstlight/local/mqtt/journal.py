"""
What happened at the door, one line each, for the person who wonders why a device is not online.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

_LOG = logging.getLogger("firstlight.mqtt")


@dataclass(frozen=True, slots=True)
class Happening:
    """
    `what` is connected, refused, or ended; `who` is the principal or the certificate, as short as it can be.
    """

    what: str
    client_id: str
    who: str
    why: str = ""

    def __str__(self) -> str:
        return one_line(f"{self.what} client={self.client_id!r} {self.who}" + (f": {self.why}" if self.why else ""))


def one_line(text: str) -> str:
    """
    Return *text* with everything escaped that could end a line or drive a terminal: clients have a say in it.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


Journal = Callable[[Happening], None]


def to_log(happening: Happening) -> None:
    """
    The journal of a front door that was given none.
    """
    _LOG.log(logging.WARNING if happening.what == "refused" else logging.INFO, "%s", happening)
