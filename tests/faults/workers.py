"""
What a cloud does with a queue and a function: takes messages, lets processes work on them, and kills some.
"""

import asyncio
import random
from dataclasses import dataclass, field

from tests.faults.cloud import Cloud
from tests.faults.process import Death, Process

# Seconds between two looks into an empty queue.
_LOOK = 3.0


@dataclass
class Workers:
    """
    So many at once.  `seconds`: what one invocation may take; `mortality`: the share of processes that are killed.
    """

    cloud: Cloud
    seed: int
    at_once: int
    seconds: float
    mortality: float
    # No more messages will come.
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def run(self) -> None:
        """
        Work until no more messages come and none is left.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self.at_once):
                group.create_task(self._worker(f"worker {number}"))

    async def _worker(self, name: str) -> None:
        process = self._born(name)
        while not self.is_over.is_set() or len(self.cloud.queue):
            deliveries = self.cloud.queue.take(self.cloud.batch)
            if not deliveries:
                await asyncio.sleep(_LOOK)
                continue
            if process.dead:
                process = self._born(name)
            self.cloud.wire.note(process, "works on " + " ".join(d.receipt for d in deliveries))
            task = process.start(self.cloud.invoke(deliveries, seconds=self.seconds))
            finished, _ = await asyncio.wait([task], timeout=self.seconds)
            if not finished:
                self.cloud.wire.note(process, "ran out of time")
                process.kill()
                await asyncio.wait([task])
            if task.cancelled():
                self.cloud.wire.weather.injected["worker killed"] += 1
            elif problem := task.exception():
                self.wrong.append(f"a worker fell over with {problem!r}")

    def _born(self, name: str) -> Process:
        dies = self._random.random() < self.mortality
        death = Death(self._random.randint(1, 40), done=self._random.random() < 0.5) if dies else None
        return Process(name, death, service=self.cloud.new_service())
