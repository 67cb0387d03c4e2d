"""
A queue worked off on a machine of the operator's own.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from firstlight.backlog import Message, Source
from firstlight.errors import FirstlightError, RegistryError, ThrottledError, UnfinishedError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.ingest.worker import Tally, Worker
from firstlight.overflow import Waiting
from firstlight.provision import Admission, Registration, Registry
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import MemoryRegistry
from firstlight.telemetry import Source as Place
from tests.factory import Factory, at_noon


@dataclass
class _Bench:
    """
    A worker of a queue in memory, and what it logs.
    """

    source: Source = field(default_factory=MemoryQueue)
    registry: Registry = field(default_factory=MemoryRegistry)
    log: list[str] = field(default_factory=list)

    @property
    def worker(self) -> Worker:
        return Worker(
            source=self.source,
            registry=self.registry,
            admission=Admission(rule=NamingRule()),
            now=at_noon,
            deadline=5,
            place=Place(region="eu-west-1", function="worker"),
            write=self.log.append,
            listening=0.01,
            pause=0.001,
        )

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for lines in self.log for line in lines.splitlines()]


def _waiting(factory: Factory, count: int) -> list[Waiting]:
    return [Waiting(f"r{i}", factory.leaf(serial=i + 1).pem) for i in range(count)]


def _emptied(bench: _Bench, waiting: Sequence[Waiting], hands: int = 3) -> Tally:
    async def run() -> Tally:
        if isinstance(bench.source, MemoryQueue):
            await bench.source.put(waiting, deadline=0)
        return await bench.worker.run(asyncio.Event(), hands=hands, until_empty=True)

    return asyncio.run(run())


def test_a_queue_is_worked_off_until_it_is_empty(factory: Factory) -> None:
    """
    Every device once, every message taken out, a line of the log for each batch.
    """
    bench = _Bench(source=(queue := MemoryQueue()), registry=(registry := MemoryRegistry()))

    assert Tally(done=25) == _emptied(bench, _waiting(factory, 25))
    assert {} == queue.bodies
    assert 25 == len(registry.devices)
    assert 3 == bench.events.count("work")


class _Throttled:
    """
    Has no time for anybody at first; afterwards it has.
    """

    def __init__(self, *, times: int) -> None:
        self.times = times

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self.times -= 1
        late = Registration(error=ThrottledError("Still throttling."))
        return [late if self.times >= 0 else Registration("host")] * len(devices)


def test_what_was_given_back_comes_again(factory: Factory) -> None:
    """
    Both deliveries are counted; after its last one a message is put aside.
    """
    patient = _Bench(source=MemoryQueue(), registry=_Throttled(times=1))
    hopeless = _Bench(source=(queue := MemoryQueue(most=3)), registry=_Throttled(times=99))

    assert Tally(done=2, again=2) == _emptied(patient, _waiting(factory, 2), hands=1)
    assert Tally(done=0, again=6) == _emptied(hopeless, _waiting(factory, 2), hands=1)
    assert 2 == len(queue.dead)


def test_a_worker_that_is_told_to_stop_finishes_its_batch(factory: Factory) -> None:
    """
    What it has taken is done; what it has not stays.
    """

    class _Stopping(MemoryRegistry):
        async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
            stop.set()
            await asyncio.sleep(0)
            return await super().register(devices, deadline=deadline)

    async def run() -> tuple[Tally, int]:
        queue = MemoryQueue()
        await queue.put(_waiting(factory, 25), deadline=0)
        worker = replace(_Bench(source=queue, registry=_Stopping()).worker, listening=60)
        return await worker.run(stop, hands=1), len(queue.bodies)

    stop = asyncio.Event()
    assert (Tally(done=10), 15) == asyncio.run(run())


def test_a_worker_that_is_told_to_stop_does_not_listen_on() -> None:
    """
    Nor does it wait for a queue that is empty.
    """

    async def run() -> Tally:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, stop.set)
        async with asyncio.timeout(5):
            return await replace(_Bench().worker, listening=60).run(stop, hands=2)

    assert Tally() == asyncio.run(run())


class _Broken(MemoryQueue):
    """
    Raises *errors*, one at each look, and has then nothing.
    """

    def __init__(self, *errors: FirstlightError) -> None:
        super().__init__()
        self.errors = list(errors)

    async def receive(self, *, wait: float) -> list[Message]:
        if self.errors:
            raise self.errors.pop(0)
        return await super().receive(wait=wait)

    async def done(self, messages: Sequence[Message]) -> None:
        raise UnfinishedError("The queue did not answer.")


def test_a_queue_that_does_not_answer_is_asked_again(factory: Factory) -> None:
    """
    And each time the log says why.
    """
    bench = _Bench(source=_Broken(*[UnfinishedError("The queue did not answer.")] * 3))

    assert Tally(done=2) == _emptied(bench, _waiting(factory, 2), hands=1)
    # three looks, and one try to take the batch out
    assert 4 == bench.events.count("failure")


def test_a_queue_that_will_not_be_read_ends_the_worker() -> None:
    """
    With the sentence that says why.
    """
    bench = _Bench(source=_Broken(RegistryError("AWS does not allow sqs:ReceiveMessage here.")))

    with pytest.raises(RegistryError, match="sqs:ReceiveMessage"):
        _emptied(bench, [])


class _Surprising:
    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        raise ZeroDivisionError("secret")


def test_a_surprise_costs_its_batch_nothing_but_time(factory: Factory) -> None:
    """
    The messages stay in the queue, and the worker goes on.
    """
    bench = _Bench(source=(queue := MemoryQueue()), registry=_Surprising())

    assert Tally(again=2) == _emptied(bench, _waiting(factory, 2), hands=1)
    assert 2 == len(queue.bodies)
    assert "secret" not in "".join(bench.log)
