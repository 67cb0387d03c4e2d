"""
What the AWS registry promises when AWS fails, hangs, answers nobody, or its client dies in the middle.
"""

import asyncio
from collections.abc import Mapping

import pytest

from benchmarks.stub_limits import HANG, LATE, LOST
from firstlight.identity import DeviceIdentity
from firstlight.registries.aws_iot import Patience
from tests.contract.conftest import InStub
from tests.contract.stub_world import StubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register, until

CALLS = ("CreateThing", "RegisterCertificateWithoutCA", "AttachThingPrincipal", "AttachPolicy")
# Gives up at once, so that what AWS does to a device shows.
HELPLESS = Patience(attempt=0.4, base=0.001, longest=0.001, failures=1)
_TRIES = 5
# Repeats a call once.
IMPATIENT = Patience(attempt=0.4, base=0.001, longest=0.001, failures=2)


async def _pushed_until_done(
    world: StubWorld, devices: list[DeviceIdentity], *, pushes: int, patience: Patience
) -> None:
    """
    Push whatever was answered with an error again, at most *pushes* times in all, by a new process each time.
    """
    left = devices
    for _ in range(pushes):
        answers = await register(world.another_process(patience=patience), *left)
        succeeded = [d for d, r in zip(left, answers, strict=True) if r.error is None]
        assert all(world.can_connect(d) for d in succeeded)
        left = [d for d, r in zip(left, answers, strict=True) if r.error is not None]
    assert [] == left


def _require_each_once(world: StubWorld, devices: list[DeviceIdentity]) -> None:
    audit = world.stub.registry.audit()
    each = len(devices)
    assert (each, each, each) == (audit["complete"], audit["certificates"], audit["things"])
    assert (0, 0) == (audit["things_with_several"], audit["certificates_on_several"])


@pytest.mark.parametrize(
    "faults",
    [{"InternalFailureException": 0.05}, {HANG: 0.025, LATE: 0.025}, {LOST: 0.05}],
    ids=["failing with 500", "timing out, done or not", "lost with the connection"],
)
def test_faults_in_every_twentieth_call_leave_no_device_incomplete(
    in_stub: InStub, new_devices: NewDevices, faults: Mapping[str, float]
) -> None:
    """
    After at most three pushes more every device is complete, none twice, and no SUCCESS was untrue.
    """

    async def promise(world: StubWorld) -> None:
        devices = new_devices(100)
        world.weather(faults=dict.fromkeys(CALLS, faults))

        await _pushed_until_done(world, devices, pushes=4, patience=IMPATIENT)

        _require_each_once(world, devices)

    in_stub(promise)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", ["InternalFailureException", HANG, LATE, LOST])
def test_a_call_that_always_fails_is_an_error_that_names_it(
    in_stub: InStub, new_devices: NewDevices, call: str, fault: str
) -> None:
    """
    The device is never said to be able to connect, and the next push completes it.
    """

    async def promise(world: StubWorld) -> None:
        devices = list[DeviceIdentity]()
        world.weather(faults={call: {fault: 1.0}})

        # a machine that stood still may have cost another call its answer, and this one its turn
        while not world.stub.calls[call] and len(devices) < _TRIES:
            devices += new_devices(1)
            (failed,) = await register(world.another_process(patience=HELPLESS), devices[-1])

        assert failed.error is not None
        assert "unfinished" == failed.error.code
        assert call in failed.error.message
        assert not failed.endpoint
        world.weather()
        assert {"ok"} == set(codes(await register(world.registry, *devices)))
        _require_each_once(world, devices)

    in_stub(promise)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", [HANG, LATE], ids=["before it is done", "after it is done"])
def test_a15_a_process_that_dies_in_any_call_leaves_what_a_push_repairs(
    in_stub: InStub, new_devices: NewDevices, call: str, fault: str
) -> None:
    """
    Cut off in the middle, then another process is pushed the same device.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        world.weather(faults={call: {fault: 1.0}})
        patient = Patience(attempt=60)
        dying = asyncio.create_task(register(world.another_process(patience=patient), device, seconds=60))
        await until(lambda: world.stub.calls[call] > 0)

        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying

        # The policy is last: there is none before all the rest is there.
        done = (call, fault) == ("AttachPolicy", LATE)
        assert [done, done] == [bool(world.stub.registry.attached), world.can_connect(device)]
        world.weather()
        assert ["ok"] == codes(await register(world.another_process(), device))
        _require_each_once(world, [device])

    in_stub(promise)


def test_a_push_that_is_cut_off_gives_its_places_back(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    A caller that hangs up does not make the next push wait.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(faults={"CreateThing": {HANG: 1.0}})
        registry = world.another_process(patience=Patience(attempt=60), max_in_flight=4)
        for _ in range(3):
            cut_off = asyncio.create_task(register(registry, *new_devices(20), seconds=60))
            world.stub.forget_calls()
            await until(lambda: world.stub.calls["CreateThing"] == 4)
            cut_off.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cut_off
        world.weather()

        assert ["ok"] * 20 == codes(await register(registry, *new_devices(20)))

    in_stub(promise)


def test_a12_without_an_endpoint_no_device_succeeds_and_nothing_is_made(
    in_stub: InStub, new_devices: NewDevices
) -> None:
    """
    The Cloud ID service passes the endpoint on to the device; SUCCESS without one would be a lie.
    """

    async def promise(world: StubWorld) -> None:
        devices = new_devices(3)
        world.weather(faults={"DescribeEndpoint": {"InternalFailureException": 1.0}})

        registrations = await register(world.another_process(), *devices)

        assert ["unfinished"] * 3 == codes(registrations)
        assert all(r.error and "DescribeEndpoint" in r.error.message for r in registrations)
        assert {} == world.stub.registry.things
        assert {} == world.stub.registry.certificates

    in_stub(promise)


def test_a11_a_failing_get_policy_is_no_policy_attached(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    The reference went on without, and said SUCCESS.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(faults={"GetPolicy": {"InternalFailureException": 1.0}})

        registrations = await register(world.another_process(), *new_devices(3))

        assert ["unfinished"] * 3 == codes(registrations)
        assert {} == world.stub.registry.things

    in_stub(promise)


def test_a_policy_that_vanishes_is_asked_for_again(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    The devices it vanished under are errors, the next push makes nothing, and with the policy all is well again.
    """

    async def promise(world: StubWorld) -> None:
        early, late, never = new_devices(3)
        registry = world.another_process()
        assert ["ok"] == codes(await register(registry, early))
        assert world.stub.registry.policies is not None
        world.stub.registry.policies.clear()

        (half,) = await register(registry, late)
        (refused,) = await register(registry, never)

        assert half.error is not None
        assert "AttachPolicy was refused with ResourceNotFoundException" in half.error.message
        assert "unfinished" == half.error.code
        assert refused.error is not None
        assert "the device policy FirstlightDevice does not exist in us-east-1" in refused.error.message
        assert world.attributes(never.name) is None
        world.stub.registry.policies.add("FirstlightDevice")
        assert ["ok", "ok"] == codes(await register(registry, late, never))

    in_stub(promise)


def test_a_policy_that_is_not_found_for_one_device_refuses_no_other(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    It may be that device's certificate that AWS does not see yet: whoever is met by it is worth trying again.
    """

    async def promise(world: StubWorld) -> None:
        devices = new_devices(40)
        world.weather(faults={"AttachPolicy": {"ResourceNotFoundException": 0.2}})

        registrations = await register(world.another_process(max_in_flight=4), *devices)

        assert {"ok", "unfinished"} == set(codes(registrations))
        world.weather()
        assert ["ok"] * 40 == codes(await register(world.registry, *devices))

    in_stub(promise)


def test_a_thing_that_vanishes_on_the_way_is_made_again(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Deleted meanwhile, or not yet seen everywhere: begun again, but not for ever; then a queue carries it on.
    """

    async def promise(world: StubWorld) -> None:
        (device,) = new_devices(1)
        world.weather(faults={"AttachThingPrincipal": {"ResourceNotFoundException": 1.0}})

        (failed,) = await register(world.registry, device)

        assert failed.error is not None
        assert "unfinished" == failed.error.code
        assert "AttachThingPrincipal was refused with ResourceNotFoundException" in failed.error.message
        assert 3 == world.stub.calls["CreateThing"]
        world.weather(faults={"AttachThingPrincipal": {"ResourceNotFoundException": 0.03}})
        assert ["ok"] * 60 == codes(await register(world.registry, device, *new_devices(59)))

    in_stub(promise)


def test_a_connection_the_server_closed_meanwhile_costs_nobody_anything(
    in_stub: InStub, new_devices: NewDevices
) -> None:
    """
    A Lambda that thaws finds its connections stale; the call is repeated at once, over a new one.
    """

    async def promise(world: StubWorld) -> None:
        first, second = new_devices(2)
        # Whoever waits before repeating is too late.
        registry = world.another_process(patience=Patience(attempt=5, base=1000, longest=1000))
        assert ["ok"] == codes(await register(registry, first))
        for connection in list(world.stub.connections):
            connection.abort()

        assert ["ok"] == codes(await register(registry, second, seconds=5))

    in_stub(promise)
