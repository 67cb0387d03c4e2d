"""
The way of one call: it is sent, done, and answered, each or not, and its process may be dead before the next.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.faults import process
from tests.faults.process import Process
from tests.faults.weather import DONE, SILENT, TARDY, Weather

T = TypeVar("T")


@dataclass
class Wire:
    """
    All calls to one cloud.  `journal` hears of each, if it is there.
    """

    weather: Weather
    journal: list[str] | None = None
    calls: int = 0
    # Calls that will be done, whoever waits for them.
    under_way: int = field(default=0, init=False)

    async def carry(
        self,
        name: str,
        do: Callable[[str], T],
        *,
        about: Callable[[], str],
        until: float = math.inf,
        cannot: frozenset[str] = frozenset(),
    ) -> T | None:
        """
        Return what *do* answers, which is told what goes wrong; None if nothing is answered *until* then.
        """
        sender = process.current()
        deadly = sender.sends()
        self.calls += 1
        loop = asyncio.get_running_loop()
        sent, fault = loop.time(), self.weather.fault(name, cannot=cannot)
        if self.journal is not None:
            self.note(sender, f"{name} {about()}" + (f"  !! {fault}" if fault else ""))
        way, answers = self.weather.latency(), list[T]()
        if is_done := not fault or fault in DONE:
            self.under_way += 1
            arrives = self.weather.tardiness() if fault == TARDY else way
            loop.call_later(arrives, self._do, do, fault, answers, sender if deadly else None)
        elif deadly:
            loop.call_later(way, self._die, sender)
        if fault in SILENT or sent + 2 * way > until:
            await _until(until)
            return None
        await asyncio.sleep(2 * way)
        return answers[0] if is_done else do(fault)

    async def settled(self) -> None:
        """
        Wait until all that was sent is done.
        """
        while self.under_way:  # noqa: ASYNC110 -- virtual time: a wait costs nothing
            await asyncio.sleep(1)

    def note(self, who: Process, what: str) -> None:
        """
        Write down *what* happened to whom, if there is a journal.
        """
        self.remark(f"{who.name:12} {what}")

    def remark(self, what: str) -> None:
        if self.journal is not None:
            self.journal.append(f"{asyncio.get_running_loop().time() - 1000:9.3f}  {what}")

    def _do(self, do: Callable[[str], T], fault: str, answers: list[T], dying: Process | None) -> None:
        self.under_way -= 1
        answers.append(do(fault))
        if dying is not None:
            self._die(dying)

    def _die(self, process: Process) -> None:
        self.note(process, "dies")
        process.kill()


async def _until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    if moment == math.inf:
        # Whoever waits for this has a clock of its own.
        await loop.create_future()
    await asyncio.sleep(moment - loop.time())
