"""
What the Azure registry promises under a hub's throttles and faults; the clock is a hundred times as quick.
"""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from benchmarks.stub_limits import HANG, LATE, LOST
from firstlight.identity import DeviceIdentity
from firstlight.registries.azure_iot import Patience
from tests.contract.conftest import InHub
from tests.contract.hub_world import HubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register, until

# An S1 unit: 100 devices a minute, 200 at once, "wait 10 seconds"; a push has 25.
SCALE = 100
S1 = {"tps": {"Registry": SCALE * 100 / 60}, "burst": {"Registry": 200}}
SCALED = Patience(attempt=20.0, base=0.001, longest=0.02, throttled=10 / SCALE)
A_PUSH = 25 / SCALE


async def _until_done(
    world: HubWorld, devices: Sequence[DeviceIdentity], *, pushes: int, whole: bool = False, forgetful: bool = False
) -> None:
    """
    Push what is not done yet, or always the *whole*, until each had its SUCCESS; if *forgetful*, by a new process
    each time.
    """
    registry, left = world.another_process(patience=SCALED), {d.name for d in devices}
    for _ in range(pushes):
        pushed = [d for d in devices if whole or d.name in left]
        if forgetful:
            registry = world.another_process(patience=SCALED)
        answers = await register(registry, *pushed, seconds=A_PUSH)
        assert len(pushed) == len(answers)
        for device, answer in zip(pushed, answers, strict=True):
            assert (answer.error is None) == bool(answer.endpoint)
            if answer.error is None:
                assert world.can_connect(device)
                left.discard(device.name)
        if not left:
            return
    raise AssertionError(f"{len(left)} are left")


def test_z1_an_s1_hub_is_never_misquoted_and_pushed_again_ends_complete(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    The reference says SUCCESS for 300 of 500 that are not there.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(**S1)
        devices = new_devices(500)

        first = await register(world.another_process(patience=SCALED), *devices, seconds=A_PUSH)

        # how many of them are done depends on the machine, too
        assert codes(first).count("ok") < 500
        assert {"ok", "throttled", "not-attempted"} >= set(codes(first))
        assert all((r.error is None) <= world.can_connect(d) for d, r in zip(devices, first, strict=True))

        await _until_done(world, devices, pushes=60)

        assert 500 == len(world.stub.registry.able())

    in_hub(promise)


@pytest.mark.parametrize("forgetful", [False, True])
def test_the_whole_reel_pushed_again_and_again_gets_done_too(
    in_hub: InHub, new_devices: NewDevices, *, forgetful: bool
) -> None:
    """
    Those that are done already do not keep the others from their turn for ever.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(tps={"Registry": SCALE * 100 / 60}, burst={"Registry": 30})

        await _until_done(world, new_devices(60), pushes=100, whole=True, forgetful=forgetful)

    in_hub(promise)


@pytest.mark.parametrize("fault", ["429", "500", "503", HANG, LOST])
def test_z1_a_hub_that_never_takes_anything_has_no_success(in_hub: InHub, new_devices: NewDevices, fault: str) -> None:
    """
    And every entry has its answer in time.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"Bulk": {fault: 1.0}, "Get": {fault: 1.0}})
        begun = asyncio.get_running_loop().time()

        registrations = await register(world.another_process(patience=SCALED), *new_devices(249), seconds=0.5)

        assert 249 == len(registrations)
        assert {"throttled" if fault == "429" else "unfinished", "not-attempted"} >= set(codes(registrations))
        assert asyncio.get_running_loop().time() < begun + 20

    in_hub(promise)


@pytest.mark.parametrize(
    "faults", [{"500": 0.2}, {HANG: 0.1, LATE: 0.1}, {LOST: 0.2}, {"429": 0.2}], ids=["500", "late", "lost", "429"]
)
def test_faults_in_every_fifth_call_leave_nothing_untrue(
    in_hub: InHub, new_devices: NewDevices, faults: Mapping[str, float]
) -> None:
    """
    What was done, and not answered, is proved by a look.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"*": faults})
        patience = Patience(attempt=0.2, base=0.001, longest=0.01, throttled=0.02)
        left = new_devices(120)
        for _ in range(6):
            answers = await register(world.another_process(patience=patience), *left)
            assert all(world.can_connect(d) for d, r in zip(left, answers, strict=True) if r.error is None)
            left = [d for d, r in zip(left, answers, strict=True) if r.error]
        assert [] == left

    in_hub(promise)


def test_an_answer_that_was_lost_is_proved_by_a_look(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Sent again, the bulk call finds what it made itself.
    """

    async def promise(world: HubWorld) -> None:
        devices = new_devices(5)
        world.weather(faults={"Bulk": {LOST: 0.7}})

        assert ["ok"] * 5 == codes(
            await register(world.another_process(patience=Patience(base=0.001, failures=50)), *devices)
        )
        assert 1 < world.stub.calls["Bulk"]

    in_hub(promise)


def test_after_a_429_the_hub_is_left_alone(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    For ten seconds, which are more than this push has: nobody asks again, nor waits in vain.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"*": {"429": 1.0}})
        registry = world.another_process(patience=Patience())
        begun = asyncio.get_running_loop().time()

        first = await register(registry, *new_devices(50), seconds=9)
        second = await register(registry, *new_devices(50), seconds=9)

        assert ["throttled"] * 50 == codes(first)
        assert {1} == {r.throttled for r in first}
        assert ["not-attempted"] * 50 == codes(second)
        assert 1 == sum(world.stub.calls.values())
        assert asyncio.get_running_loop().time() < begun + 9

    in_hub(promise)


def test_retry_after_is_honoured(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    A hub that says a second is asked again after a second, not after ten; one that says an hour, not in this push.
    """

    async def promise(world: HubWorld) -> None:
        world.stub.retry_after = 1
        world.weather(faults={"*": {"429": 1.0}})
        registry = world.another_process(patience=Patience())

        soon = asyncio.create_task(register(registry, *new_devices(1), seconds=9))
        await until(lambda: bool(world.stub.calls["Bulk"]))
        world.weather()

        assert ["ok"] == codes(await soon)
        assert 2 == world.stub.calls["Bulk"]

        world.stub.retry_after = 3600
        world.weather(faults={"*": {"429": 1.0}})
        registry = world.another_process(patience=Patience())
        world.stub.forget_calls()

        assert ["throttled"] == codes(await register(registry, *new_devices(1), seconds=25))
        assert 1 == world.stub.calls["Bulk"]

    in_hub(promise)


def test_a_throttled_hub_is_given_smaller_calls(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    It may count devices, and never have a hundred to spare.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(tps={"Registry": 1000}, burst={"Registry": 30})
        devices = new_devices(100)

        assert ["ok"] * 100 == codes(await register(world.another_process(patience=SCALED), *devices, seconds=20))

    in_hub(promise)


def test_a_deadline_that_has_passed_asks_nothing(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    And every device is answered.
    """

    async def promise(world: HubWorld) -> None:
        assert ["not-attempted"] * 3 == codes(await register(world.registry, *new_devices(3), seconds=-1))
        assert {} == dict(world.stub.calls)

    in_hub(promise)


def test_a_push_that_is_cancelled_ends_and_the_next_one_works(in_hub: InHub, new_devices: NewDevices) -> None:
    """
    Nothing but cancellation is raised.
    """

    async def promise(world: HubWorld) -> None:
        world.weather(faults={"*": {HANG: 1.0}})
        devices = new_devices(150)
        push = asyncio.ensure_future(register(world.registry, *devices))
        async with asyncio.timeout(10):
            while world.stub.calls["Bulk"] < 2:  # noqa: ASYNC110 -- what happens is counted by a server
                await asyncio.sleep(0)
        push.cancel()
        with pytest.raises(asyncio.CancelledError):
            await push
        world.weather()

        assert ["ok"] * 150 == codes(await register(world.registry, *devices))

    in_hub(promise)
