"""
What the AWS registry promises under quotas.  The quotas are AWS's, times a factor, so that no test takes long;
tests/unit/test_aws_quotas.py has them as they are, in virtual time.
"""

import asyncio
from collections.abc import Sequence

from benchmarks.stub_limits import AWS_DEFAULT
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registry
from tests.contract.conftest import InStub
from tests.contract.stub_world import StubWorld
from tests.contract.test_promises import NewDevices
from tests.contract.worlds import codes, register, until

# AWS's default quotas for a clock twenty times as quick.
QUICK_AWS = {operation: 20 * rate for operation, rate in AWS_DEFAULT.items()}
BURST = {"*": 10}


async def _client(
    world: StubWorld, registry: Registry, devices: Sequence[DeviceIdentity], seconds: float
) -> tuple[int, list[str]]:
    """
    Push *devices* until all succeed; return how many pushes it took, and the codes of the errors met.
    """
    left, pushes, met = list(devices), 0, []
    while left:
        registrations = await register(registry, *left, seconds=seconds)
        assert len(left) == len(registrations)
        for device, registration in zip(left, registrations, strict=True):
            assert (registration.error is None) == bool(registration.endpoint)
            assert registration.error is not None or world.can_connect(device)
        met += [code for code in codes(registrations) if code != "ok"]
        left = [d for d, r in zip(left, registrations, strict=True) if r.error]
        pushes += 1
    return pushes, met


def _require_complete(world: StubWorld, number: int) -> None:
    audit = world.stub.registry.audit()
    assert (number, 0, number, 0) == (
        audit["complete"],
        audit["half"],
        audit["things"],
        audit["things_with_several"],
    )


def test_under_default_quotas_a_push_of_a_hundred_has_no_error(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    A throttled call is repeated within the deadline; a hundred devices have the time.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps=QUICK_AWS, burst=BURST)

        registrations = await register(world.another_process(), *new_devices(100))

        assert ["ok"] * 100 == codes(registrations)
        assert sum(r.throttled for r in registrations) == sum(world.stub.throttled.values()) > 0
        _require_complete(world, 100)

    in_stub(promise)


def test_under_default_quotas_sixteen_clients_end_with_every_device_complete(
    in_stub: InStub, new_devices: NewDevices
) -> None:
    """
    What did not fit before the deadline is answered, and pushed again until all of it is there.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps=QUICK_AWS, burst=BURST)
        registry = world.another_process()
        clients = [new_devices(20) for _ in range(16)]

        ends = await asyncio.gather(*(_client(world, registry, devices, 0.5) for devices in clients))

        assert any(pushes > 1 for pushes, _ in ends)
        assert "not-attempted" in {code for _, met in ends for code in met}
        _require_complete(world, 16 * 20)

    in_stub(promise)


def test_a11_a_throttled_get_policy_makes_no_success_untrue(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    GetPolicy once in two seconds, and eight cold processes: the reference said SUCCESS 130 times out of 160.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps={"GetPolicy": 10}, burst={"GetPolicy": 1})
        clients = [(world.another_process(), new_devices(10)) for _ in range(8)]

        await asyncio.gather(*(_client(world, registry, devices, 0.4) for registry, devices in clients))

        assert world.stub.throttled["GetPolicy"] > 0
        _require_complete(world, 80)

    in_stub(promise)


def test_a15_a_throttled_attach_policy_leaves_no_success_untrue(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    AttachPolicy far below the other quotas: the reference left 319 of 400 devices without a policy for good.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps={"AttachPolicy": 40})
        registry = world.another_process()
        clients = [new_devices(15) for _ in range(8)]

        await asyncio.gather(*(_client(world, registry, devices, 1.0) for devices in clients))

        _require_complete(world, 120)

    in_stub(promise)


def test_status_429_is_throttling_too(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    AWS IoT says 400, others 429.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps={"*": 100}, burst={"*": 2}, throttle_status=429)

        assert ["ok"] * 10 == codes(await register(world.another_process(), *new_devices(10)))

    in_stub(promise)


def test_a_small_push_does_not_wait_for_a_large_one(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Pushes take turns, device by device.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(tps={"RegisterCertificateWithoutCA": 200}, burst={"RegisterCertificateWithoutCA": 20})
        registry = world.another_process()
        (late,) = new_devices(1)
        large = asyncio.create_task(register(registry, *new_devices(150)))
        await until(lambda: bool(world.stub.calls["GetPolicy"]))

        await register(registry, late)

        assert ["ok"] * 150 == codes(await large)
        # the order AWS saw them in, which a machine that stood still for a second does not change
        order = list(world.stub.registry.things)
        assert order.index(late.name) < 75

    in_stub(promise)


def test_one_prepared_thing_is_taken_over_by_exactly_one(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    Of several processes that find a thing without an owner, one finds it unchanged.
    """

    async def promise(world: StubWorld) -> None:
        rivals = new_devices(6, rivals=True)
        world.make_thing(rivals[0].name, {"site": "north"})
        world.weather(latency_ms=5)

        answers = await asyncio.gather(*(register(world.another_process(), device) for device in rivals))

        assert ["name-taken"] * 5 + ["ok"] == sorted(codes([r for (r,) in answers]))
        assert 1 == sum(world.can_connect(device) for device in rivals)
        assert 1 == len(world.principals(rivals[0].name))

    in_stub(promise)


def test_a_device_costs_four_calls_and_a_process_two(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    GetPolicy and DescribeEndpoint, whose quotas are as small as any, are asked once.
    """

    async def promise(world: StubWorld) -> None:
        registry = world.another_process()
        for _ in range(3):
            await register(registry, *new_devices(10))

        assert {
            "GetPolicy": 1,
            "DescribeEndpoint": 1,
            "CreateThing": 30,
            "RegisterCertificateWithoutCA": 30,
            "AttachThingPrincipal": 30,
            "AttachPolicy": 30,
        } == dict(world.stub.calls)

    in_stub(promise)


def test_a8_devices_are_registered_side_by_side(in_stub: InStub, new_devices: NewDevices) -> None:
    """
    One after the other, a push of 500 would take 43 seconds at 20 ms a call.
    """

    async def promise(world: StubWorld) -> None:
        world.weather(latency_ms=20)

        await register(world.another_process(), *new_devices(100))

        # a connection carries one call at a time
        assert 32 <= len(world.stub.connections)

    in_stub(promise)
