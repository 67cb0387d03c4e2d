"""
What the fault suite stands on: time that jumps, runs that repeat, processes that end.
"""

import asyncio

import pytest

from tests.faults import plan, virtual_time
from tests.faults.plan import Case
from tests.faults.process import Death, Process
from tests.faults.run import CLOUDS, run
from tests.faults.weather import LATE, Weather
from tests.faults.wire import Wire

# Of a run in which much goes wrong.
_BUSY = 262


def test_a_day_takes_no_time() -> None:
    """
    The clock jumps to the next timer, and timers come in their order.
    """

    async def day() -> list[float]:
        loop = asyncio.get_running_loop()
        begun, seen = loop.time(), list[float]()
        await asyncio.gather(*(_noted(hours * 3600, seen) for hours in (24, 1, 12)))
        return [round((moment - begun) / 3600) for moment in seen]

    assert [1, 12, 24] == virtual_time.run(day())


async def _noted(seconds: float, seen: list[float]) -> None:
    await asyncio.sleep(seconds)
    seen.append(asyncio.get_running_loop().time())


def test_whoever_waits_for_nobody_is_found_out() -> None:
    """
    Nothing is ready and no timer is set: that is a deadlock, and not a test that hangs.
    """

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_time.Stuck):
        virtual_time.run(wait())


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_seed_is_the_same_run_every_time(cloud: str) -> None:
    """
    Call by call, fault by fault, to the microsecond.
    """
    first, again = (run(Case(_BUSY), cloud, keep_journal=True) for _ in range(2))

    assert len(first.journal) > 20
    assert first.journal == again.journal


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cap_leaves_out_and_changes_nothing_else(cloud: str) -> None:
    """
    What Hypothesis makes small is a part of the run that the seed alone makes.
    """
    whole, part = plan.drawn(Case(_BUSY), cloud), plan.drawn(Case(_BUSY, devices=2, pushes=1), cloud)

    assert whole.devices[:2] == part.devices
    assert [tuple(w for w in whole.pushes[0].who if w in part.devices)] == [push.who for push in part.pushes]
    assert run(Case(_BUSY, faults=3), cloud).faults.total() <= 3 + len(whole.pushes)


@pytest.mark.parametrize("done", [False, True], ids=["before it is sent", "when it is done"])
def test_a_process_dies_at_the_call_it_is_told_to(done: bool) -> None:  # noqa: FBT001 -- a parameter
    """
    Nothing of it runs on, and what it has sent arrives or does not.
    """
    arrived, after = [], []

    async def work(wire: Wire) -> None:
        for number in (1, 2, 3):
            await wire.carry("Call", lambda _, n=number: arrived.append(n), until=2000, about=str)
        after.append("still alive")

    async def killed() -> None:
        process = Process("short-lived", Death(2, done=done))
        (task,) = (await asyncio.wait([process.start(work(Wire(Weather(0))))]))[0]
        assert task.cancelled()

    virtual_time.run(killed())

    assert [1, 2] if done else [1] == arrived
    assert [] == after


def test_what_is_late_is_done_and_not_answered() -> None:
    """
    The client waits until its time is up, and the cloud has done it all the same.
    """
    arrived: list[str] = []

    async def asked() -> float:
        wire, loop = Wire(Weather(0, {LATE: 1.0})), asyncio.get_running_loop()
        Process("a client").enter()
        assert await wire.carry("Call", arrived.append, until=1005.0, about=str) is None
        return loop.time()

    assert 1005.0 == virtual_time.run(asked())
    assert [LATE] == arrived
