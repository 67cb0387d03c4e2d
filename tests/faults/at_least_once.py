"""
A queue as clouds have it: each message at least once, in any order, hidden from others for a while, given up at last.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from firstlight.errors import RequestError
from firstlight.overflow import decode


@dataclass(eq=False)
class _Held:
    body: str
    visible_at: float
    received: int = 0


@dataclass(frozen=True)
class Delivery:
    """
    One message as one worker was given it: `received` counts the deliveries, this one included.
    """

    receipt: str
    body: str
    received: int


@dataclass
class Queue:
    """
    `hidden`: seconds for which a delivered message is; `most`: deliveries after which it is given up.

    Of deliveries, a share of `twice` are made to somebody else too; of deletions, a share of `undeleted` are forgotten.
    """

    seed: int
    hidden: float = 30.0
    most: int = 5
    twice: float = 0.0
    undeleted: float = 0.0
    happened: Callable[[str], None] = lambda _: None
    given_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._held: dict[str, _Held] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._held)

    def send(self, body: str, *, delay: float = 0) -> None:
        """
        Put a message in, to be seen in *delay* seconds.
        """
        number = next(self._numbers)
        self._held[str(number)] = _Held(body, _now() + delay)

    async def arrival(self, seconds: float) -> None:
        """
        Wait until a message can be seen, or for *seconds*.
        """
        until = _now() + seconds
        while (left := until - _now()) > 0 and not self._seen():  # noqa: ASYNC110 -- virtual time: a wait costs nothing
            await asyncio.sleep(min(left, 2.0))

    def take(self, number: int, *, hidden: float | None = None) -> list[Delivery]:
        """
        Deliver up to *number* messages, in no order; what came too often is given up instead.
        """
        now = _now()
        seen = self._seen()
        deliveries = []
        for chosen in self._random.sample(seen, min(number, len(seen))):
            held = self._held[chosen]
            if held.received >= self.most:
                self.happened(f"message {chosen} is given up")
                self.give_up(chosen)
                continue
            held.received += 1
            if self._random.random() < self.twice:
                self.happened(f"message {chosen} is delivered twice")
            else:
                held.visible_at = now + (hidden or self.hidden)
            deliveries.append(Delivery(f"{chosen}.{held.received}", held.body, held.received))
        return deliveries

    def delete(self, receipt: str) -> None:
        """
        Take a message out, whoever was given it last.
        """
        if self._random.random() < self.undeleted:
            self.happened(f"message {receipt} is not deleted")
            return
        self._held.pop(_number(receipt), None)

    def is_current(self, receipt: str) -> bool:
        """
        Whether nobody has been given the message since.
        """
        held = self._held.get(_number(receipt))
        return held is not None and receipt.endswith(f".{held.received}")

    def hide(self, receipt: str, seconds: float) -> None:
        """
        Let a message be seen in *seconds*.
        """
        if held := self._held.get(_number(receipt)):
            held.visible_at = _now() + seconds

    def give_up(self, receipt: str) -> None:
        """
        Move a message to where an operator looks.
        """
        if held := self._held.pop(_number(receipt), None):
            self.given_up.append(held.body)

    def pems(self) -> set[str]:
        """
        Return the certificates in all messages, given up or not.
        """
        return {pem for body in [*self.given_up, *(h.body for h in self._held.values())] for pem in _pems(body)}

    def _seen(self) -> list[str]:
        now = _now()
        return [number for number, held in self._held.items() if held.visible_at <= now]


def _now() -> float:
    return asyncio.get_running_loop().time()


def _number(receipt: str) -> str:
    return receipt.partition(".")[0]


def _pems(body: str) -> set[str]:
    try:
        return {candidate.certificate.decode() for candidate in decode(body)}
    except RequestError:
        return set()
