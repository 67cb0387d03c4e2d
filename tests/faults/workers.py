"""
What a cloud does with a queue and a function: takes messages, lets processes work on them, and kills some.
"""

import asyncio
import random
from dataclasses import dataclass, field

from firstlight import telemetry
from firstlight.endpoint import admission_from
from firstlight.errors import FirstlightError
from firstlight.ingest.worker import Worker
from tests.factory import at_noon
from tests.faults.cloud import Cloud
from tests.faults.process import Death, Process

# Seconds between two looks into an empty queue.
_LOOK = 3.0


@dataclass
class Workers:
    """
    So many at once.  `seconds`: what one invocation may take; `mortality`: the share of processes that are killed.

    They are functions, or, if `own`, processes of an operator's (`firstlight ingest work`).
    """

    cloud: Cloud
    seed: int
    at_once: int
    seconds: float
    mortality: float
    own: bool = False
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
                group.create_task((self._own if self.own else self._function)(f"worker {number}"))

    async def _function(self, name: str) -> None:
        process = self._born(name)
        while not self._is_done():
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

    async def _own(self, name: str) -> None:
        admission, nowhere = admission_from(self.cloud.settings), telemetry.Source(region="", function="")
        while not self._is_done():
            process, stop = self._born(name), asyncio.Event()
            worker = Worker(
                source=self.cloud.source(process.service),
                registry=process.service.registry,
                admission=admission,
                now=at_noon,
                deadline=self.seconds,
                place=nowhere,
                write=lambda _: None,
            )
            task = process.start(worker.run(stop, hands=2))
            while not task.done():
                await asyncio.wait([task], timeout=_LOOK)
                if self._is_done():
                    stop.set()
            if task.cancelled():
                self.cloud.wire.weather.injected["worker killed"] += 1
            elif (problem := task.exception()) and not isinstance(problem, FirstlightError):
                self.wrong.append(f"a worker fell over with {problem!r}")
            # Whoever starts what ended has a rest first.
            await asyncio.sleep(_LOOK)

    def _is_done(self) -> bool:
        return self.is_over.is_set() and not len(self.cloud.queue)

    def _born(self, name: str) -> Process:
        dies = self._random.random() < self.mortality
        death = Death(self._random.randint(1, 40), done=self._random.random() < 0.5) if dies else None
        return Process(name, death, service=self.cloud.new_service(is_worker=True))
