"""
AWS's quotas, in virtual time: nothing is lost, nothing half made, and little asked in vain.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import count

import pytest

from benchmarks.stub_limits import AWS_DEFAULT, HANG
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Condition, Sought, Standing
from firstlight.provision import Registration
from firstlight.registries.aws_iot import AwsIotRegistry
from firstlight.registries.aws_operations import Operation
from firstlight.registries.quotas import Pacing
from tests.factory import Factory
from tests.faults import virtual_time
from tests.virtual_cloud import VirtualCloud

_REGISTER = Operation.REGISTER_CERTIFICATE


@pytest.fixture
def new_devices(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceIdentity]:
    """
    Devices without end, all with one certificate to spare its making; the stub counts them by their PEM.
    """
    # Back-off is drawn at random, what is measured should not be.
    random.seed(1)
    ids = count(1)

    def device() -> DeviceIdentity:
        fingerprint = f"{next(ids):064x}"
        return DeviceIdentity(f"t-{fingerprint}", "1", fingerprint, fingerprint)

    monkeypatch.setattr("benchmarks.stub_registry.certificate_id", lambda pem: pem)
    return (device() for _ in count())


def _some(devices: Iterator[DeviceIdentity], number: int) -> list[DeviceIdentity]:
    return [next(devices) for _ in range(number)]


async def _client(registry: AwsIotRegistry, devices: Sequence[DeviceIdentity], seconds: float = 25.0) -> list[str]:
    """
    Push until all succeed; return the codes of the errors met.
    """
    left, met = list(devices), list[str]()
    while left:
        registrations = await registry.register(left, deadline=asyncio.get_running_loop().time() + seconds)
        met += [r.error.code for r in registrations if r.error]
        left = [d for d, r in zip(left, registrations, strict=True) if r.error]
    return met


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _complete(cloud: VirtualCloud) -> int:
    audit = cloud.registry.audit()
    assert 0 == audit["half"] == audit["things_without_certificate"] == audit["things_with_several"]
    return audit["complete"]


@pytest.mark.parametrize("quotas", [AWS_DEFAULT, {"*": 10.0}], ids=["aws-default", "all-10"])
def test_two_workers_use_one_quota_up(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch, quotas: dict[str, float]
) -> None:
    """
    Without knowing of each other: 800 devices at ten a second, within 1.05 of the time, 4 % of the calls in vain.
    """

    async def run() -> tuple[float, VirtualCloud]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, tps=quotas, latency_ms=50)
        workers = [cloud.process(Pacing(eager=True)) for _ in range(2)]
        await asyncio.gather(*(_client(worker, _some(new_devices, 400), 1e4) for worker in workers))
        return asyncio.get_running_loop().time() - begun, cloud

    seconds, cloud = virtual_time.run(run())

    assert 800 == _complete(cloud)
    assert seconds <= 1.05 * 800 / 10
    assert cloud.turned_away.total() <= 0.04 * cloud.calls.total()


def test_sixteen_clients_of_one_process_lose_nothing(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Pushes of 50 with 25 seconds each: what does not fit was not begun, and the quota is used up all the same.
    """

    async def run() -> tuple[float, VirtualCloud, list[list[str]]]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, tps=AWS_DEFAULT, latency_ms=20)
        process = cloud.process()
        ends = await asyncio.gather(*(_client(process, _some(new_devices, 50)) for _ in range(16)))
        return asyncio.get_running_loop().time() - begun, cloud, ends

    seconds, cloud, ends = virtual_time.run(run())

    assert 800 == _complete(cloud)
    assert {"not-attempted"} == {code for met in ends for code in met}
    assert seconds <= 1.05 * 800 / 10
    # Four a device, and a few in vain.
    assert cloud.calls.total() <= 4.05 * 800 + 100


def test_what_did_not_fit_before_the_deadline_was_not_begun(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Under a quota few devices are in flight, so that hardly one is half made when the deadline comes.
    """

    async def run() -> tuple[VirtualCloud, list[str]]:
        cloud = VirtualCloud(monkeypatch, tps={_REGISTER: 10.0}, burst={_REGISTER: 1}, latency_ms=20)
        process = cloud.process()
        await _client(process, _some(new_devices, 20))
        cloud.registry.things.clear()
        deadline = asyncio.get_running_loop().time() + 7
        return cloud, [
            r.error.code if r.error else "ok"
            for r in await process.register(_some(new_devices, 200), deadline=deadline)
        ]

    cloud, answers = virtual_time.run(run())

    begun = len(cloud.registry.things)
    assert answers.count("not-attempted") > 100
    assert begun <= 200 - answers.count("not-attempted")
    assert begun - answers.count("ok") <= 8


def test_still_throttled_at_the_deadline_is_said_so(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The caller knows that pushing again will do.
    """

    async def run() -> Registration:
        cloud = VirtualCloud(monkeypatch, tps={"AttachPolicy": 0.001}, burst={"AttachPolicy": 1}, latency_ms=20)
        process = cloud.process()
        await _client(process, _some(new_devices, 1))
        (registration,) = await process.register(_some(new_devices, 1), deadline=_in(5))
        return registration

    registration = virtual_time.run(run())

    assert registration.error is not None
    assert "throttled" == registration.error.code
    assert "still throttling AttachPolicy when the deadline came" in registration.error.message
    assert registration.throttled > 0


def test_a_hanging_call_is_answered_at_the_deadline(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nobody waits longer than the caller does; who did not get a turn is told so.
    """

    async def run() -> tuple[float, list[Registration]]:
        cloud = VirtualCloud(monkeypatch, latency_ms=20)
        process = cloud.process(max_in_flight=2)
        await _client(process, _some(new_devices, 1))
        cloud.weather(faults={"CreateThing": {HANG: 1.0}}, latency_ms=20)
        deadline = _in(3)
        registrations = await process.register(_some(new_devices, 5), deadline=deadline)
        return asyncio.get_running_loop().time() - deadline, registrations

    late, registrations = virtual_time.run(run())

    assert 0 == pytest.approx(late, abs=0.1)
    assert ["unfinished"] * 2 + ["not-attempted"] * 3 == [r.error.code if r.error else "ok" for r in registrations]
    assert "AWS IoT did not answer CreateThing in time" in str(registrations[0].error)


def test_an_inspection_under_a_throttle_ends_in_time(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What AWS does not say before the deadline is an error, and never UNKNOWN without one.
    """

    async def run() -> tuple[float, list[Standing]]:
        cloud = VirtualCloud(monkeypatch, latency_ms=20)
        process, devices = cloud.process(), _some(new_devices, 30)
        await _client(process, devices)
        cloud.weather(tps={"DescribeCertificate": 10.0}, burst={"DescribeCertificate": 5.0})
        deadline = _in(1)
        standings = await process.inspect([Sought(d.fingerprint, d.name) for d in devices], deadline=deadline)
        return asyncio.get_running_loop().time() - deadline, list(standings)

    late, standings = virtual_time.run(run())

    ready = [s for s in standings if s.condition is Condition.READY]
    assert late < 0.1
    assert 30 == len(standings)
    assert 5 <= len(ready) <= 15
    assert all(s.error is not None for s in standings if s not in ready)
    assert {"throttled", "not-attempted"} >= {s.error.code for s in standings if s.error}
    assert all(s.error.message.startswith("Failed looking the device up: ") for s in standings if s.error)


def test_sixteen_processes_lose_nothing(new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Lambdas that begin at the same moment share the quota and nothing else.
    """

    async def run() -> tuple[float, VirtualCloud]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, tps=AWS_DEFAULT, latency_ms=20)
        await asyncio.gather(*(_client(cloud.process(), _some(new_devices, 40)) for _ in range(16)))
        return asyncio.get_running_loop().time() - begun, cloud

    seconds, cloud = virtual_time.run(run())

    assert 640 == _complete(cloud)
    assert seconds <= 1.2 * 640 / 10


def test_who_is_eager_asks_nothing_in_vain_of_a_cloud_that_takes_it_all(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    From ten a second to hundreds in a few seconds: a laptop, or an account whose quotas were raised.
    """

    async def run() -> tuple[float, VirtualCloud]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, latency_ms=5)
        await _client(cloud.process(Pacing(eager=True)), _some(new_devices, 2000), 1e4)
        return asyncio.get_running_loop().time() - begun, cloud

    seconds, cloud = virtual_time.run(run())

    assert 2000 == _complete(cloud)
    assert 5 < seconds < 10
    assert 0 == cloud.turned_away.total()


def test_a_push_is_held_back_by_nobody_but_aws(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A push of 500 at 20 ms a call takes as long as it did before there was any pacing.
    """

    async def run() -> float:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, latency_ms=20)
        await _client(cloud.process(), _some(new_devices, 500))
        return asyncio.get_running_loop().time() - begun

    assert virtual_time.run(run()) < 0.5


def test_an_operators_own_quota_is_never_exceeded(
    new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given 50 registrations a second, it starts there, stays there, and asks for nothing in vain.
    """

    async def run() -> tuple[float, VirtualCloud]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, tps={_REGISTER: 50}, latency_ms=20)
        await _client(cloud.process(Pacing(quotas={_REGISTER: 50})), _some(new_devices, 500))
        return asyncio.get_running_loop().time() - begun, cloud

    seconds, cloud = virtual_time.run(run())

    assert 9.5 <= seconds <= 11
    assert 0 == cloud.turned_away.total()


def test_a_raised_quota_is_found(new_devices: Iterator[DeviceIdentity], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An account with ten times the published quotas, and nobody told us.
    """

    async def run() -> tuple[float, VirtualCloud]:
        begun = asyncio.get_running_loop().time()
        cloud = VirtualCloud(monkeypatch, tps={k: 10 * v for k, v in AWS_DEFAULT.items()}, latency_ms=20)
        await _client(cloud.process(Pacing(eager=True)), _some(new_devices, 1500), 1e4)
        return asyncio.get_running_loop().time() - begun, cloud

    seconds, cloud = virtual_time.run(run())

    assert 1500 == _complete(cloud)
    assert seconds <= 1.3 * 1500 / 100
    assert cloud.turned_away.total() <= 0.02 * cloud.calls.total()
