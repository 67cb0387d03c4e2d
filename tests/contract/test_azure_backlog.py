"""
Working an Azure Storage queue off: nothing is lost, what waits is not counted, what fails too often is laid aside.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Sequence

import pytest

from firstlight.backlog import Source, Worked, work
from firstlight.errors import FirstlightError, NotAttemptedError, RegistryError, ThrottledError, UnfinishedError
from firstlight.identity import Attributes, DeviceIdentity, NamingRule
from firstlight.inspection import Condition, Sought
from firstlight.local.azure_cloud.access import QUEUE_MESSAGE_PROCESSOR, QUEUE_MESSAGE_SENDER
from firstlight.overflow import Waiting, attempts_of, decode, encode
from firstlight.provision import Admission, Registration, Registry
from firstlight.queues.azure_backlog import MOST_ATTEMPTS, StorageBacklog
from tests.contract.conftest import InLaptopHub
from tests.contract.laptop_hub_world import QUEUE, LaptopHubWorld
from tests.factory import Factory, at_noon

ROLES = (QUEUE_MESSAGE_SENDER, QUEUE_MESSAGE_PROCESSOR)
POISON = f"{QUEUE}-poison"


class Refusing:
    """
    A registry that answers each device with the error it has for its serial, and otherwise with SUCCESS.
    """

    def __init__(self, errors: dict[str, FirstlightError]) -> None:
        self.errors = errors

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        return [Registration("hub", self.errors.get(device.serial)) for device in devices]


def _devices(number: int, attributes: Attributes = ()) -> list[Waiting]:
    factory = Factory()
    leaves = [factory.leaf(serial=0x10 + i) for i in range(number)]
    return [Waiting(leaf.serial, leaf.pem, leaf.fingerprint, attributes) for leaf in leaves]


def _soon() -> float:
    return asyncio.get_running_loop().time() + 20


async def _turn(source: Source, registry: Registry, *, crash: bool = False) -> Worked:
    """
    Take what is there and work on it; with *crash* the worker ends before it lets go of the messages.
    """
    messages = await source.receive(wait=0)
    worked = await work(messages, registry, admission=Admission(rule=NamingRule()), now=at_noon, deadline=_soon())
    if not crash:
        await source.done(worked.done)
        await source.again(worked.again)
    return worked


def _texts(world: LaptopHubWorld, name: str = QUEUE) -> list[str]:
    return [base64.b64decode(m.text).decode() for m in world.storage.queues[name].messages]


def _later(world: LaptopHubWorld) -> None:
    for message in world.storage.queues[QUEUE].messages:
        message.visible_at = 0


def test_what_waits_is_registered(in_laptop_hub: InLaptopHub) -> None:
    """
    On the hub itself; then the queue is empty and each device is ready.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, devices = world.a_queue(*ROLES), _devices(120)
        assert [None] * 120 == await queue.put(devices, deadline=_soon())

        worked = await _turn(StorageBacklog(queue), world.registry)
        standings = await world.registry.inspect([Sought(d.fingerprint, d.ref) for d in devices], deadline=_soon())

        assert [None] * 120 == [o.error for o in worked.outcomes]
        assert {Condition.READY} == {s.condition for s in standings}
        assert [] == _texts(world) == _texts(world, POISON)

    in_laptop_hub(promise)


def test_only_what_is_left_of_a_message_goes_back(in_laptop_hub: InLaptopHub) -> None:
    """
    What waited for the hub as it was, what failed with a count, both with their tags; what is done is not.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, tags = world.a_queue(*ROLES), (("reel", "7"),)
        await queue.send(encode(_devices(6, tags), attempts=2), deadline=_soon())
        errors: dict[str, FirstlightError] = {
            "10": ThrottledError("throttled"),
            "11": NotAttemptedError("no time"),
            "12": UnfinishedError("500"),
            "13": RegistryError("no role"),
        }

        worked = await _turn(StorageBacklog(queue), Refusing(errors))

        left = {tuple(c.ref for c in decode(text)): attempts_of(text) for text in _texts(world)}
        assert {("10", "11"): 2, ("12", "13"): 3} == left
        assert {tags} == {c.attributes for text in _texts(world) for c in decode(text)}
        assert ["14", "15"] == [o.ref for o in worked.outcomes if o.error is None]
        assert [] == _texts(world, POISON)

    in_laptop_hub(promise)


def test_what_was_put_back_is_not_seen_at_once(in_laptop_hub: InLaptopHub) -> None:
    """
    A hub that throttles is left alone, and a fault has time to pass.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue = world.a_queue(*ROLES)
        await queue.put(_devices(1), deadline=_soon())
        source = StorageBacklog(queue)
        await _turn(source, Refusing({"10": ThrottledError("throttled")}))

        assert () == (await _turn(source, world.registry)).outcomes
        _later(world)
        assert [None] == [o.error for o in (await _turn(source, world.registry)).outcomes]

    in_laptop_hub(promise)


def test_being_throttled_is_never_the_end(in_laptop_hub: InLaptopHub) -> None:
    """
    However often; failing is, after a few times, and each device is laid aside by itself with the reason.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, devices = world.a_queue(*ROLES), _devices(3)
        await queue.put(devices, deadline=_soon())
        source = StorageBacklog(queue)
        errors: dict[str, FirstlightError] = {
            "10": ThrottledError("throttled"),
            "11": UnfinishedError("The hub failed."),
            "12": RegistryError("No role."),
        }
        for _ in range(MOST_ATTEMPTS + 2):
            _later(world)
            await _turn(source, Refusing(errors))

        poison = [json.loads(text) for text in _texts(world, POISON)]
        assert ["10"] == [c.ref for text in _texts(world) for c in decode(text)]
        assert [("11", "The hub failed."), ("12", "No role.")] == sorted(
            (p["certs"][0]["ref"], p["reason"]) for p in poison
        )
        # put back by an operator, it begins anew
        assert [0, 0] == [attempts_of(text) for text in _texts(world, POISON)]

    in_laptop_hub(promise)


def test_a_crash_before_a_message_is_let_go_only_duplicates(in_laptop_hub: InLaptopHub) -> None:
    """
    Whether nothing was put back yet, or all of it: in the end every device is there once.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, devices = world.a_queue(*ROLES), _devices(4)
        await queue.put(devices, deadline=_soon())
        source = StorageBacklog(queue)
        await _turn(source, world.registry, crash=True)
        _later(world)
        # put back, and not deleted: the message itself comes again besides
        messages = await source.receive(wait=0)
        unlucky = Refusing({"12": ThrottledError("throttled"), "13": UnfinishedError("500")})
        worked = await work(messages, unlucky, admission=Admission(rule=NamingRule()), now=at_noon, deadline=_soon())
        kept = list(world.storage.queues[QUEUE].messages)
        await source.again(worked.again)
        world.storage.queues[QUEUE].messages += kept
        for _ in range(2):
            _later(world)
            await _turn(source, world.registry)

        assert {d.ref: d.fingerprint.upper() for d in devices} == {n: d.primary for n, d in world.hub.devices.items()}
        assert [] == _texts(world) == _texts(world, POISON)

    in_laptop_hub(promise)


def test_what_cannot_be_put_back_stays(in_laptop_hub: InLaptopHub) -> None:
    """
    Hidden for a while, whole, and then it comes again.
    """

    async def promise(world: LaptopHubWorld) -> None:
        await world.a_queue(*ROLES).put(_devices(2), deadline=_soon())
        before = _texts(world)
        world.take_role_away()
        receiving = StorageBacklog(world.a_queue(QUEUE_MESSAGE_PROCESSOR))

        with pytest.raises(RegistryError, match="Storage Queue Data Message Sender"):
            await _turn(receiving, Refusing({"10": ThrottledError("throttled")}))

        assert before == _texts(world)

    in_laptop_hub(promise)


@pytest.mark.parametrize("text", ["hello", '{"v":2,"certs":[]}', "[]", "bm90IHV0ZjggZmY="])
def test_what_is_no_message_of_ours_is_laid_aside(in_laptop_hub: InLaptopHub, text: str) -> None:
    """
    As it is, with its neighbours worked on.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue = world.a_queue(*ROLES)
        await queue.send(text, deadline=_soon())
        await queue.put(_devices(1), deadline=_soon())

        worked = await _turn(StorageBacklog(queue), world.registry)

        assert (1, [None]) == (worked.strange, [o.error for o in worked.outcomes])
        assert [text] == _texts(world, POISON)
        assert [] == _texts(world)

    in_laptop_hub(promise)


def test_what_is_too_large_to_be_ours_is_laid_aside_too(in_laptop_hub: InLaptopHub) -> None:
    """
    As it is, up to the 64 KB that a queue takes from anybody; otherwise it would come again for ever.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, text = world.a_queue(*ROLES), "no <message> of ours & large " * 2000
        world.storage.queues[QUEUE].put(text, visible_at=0)

        await _turn(StorageBacklog(queue), world.registry)

        assert [text] == [m.text for m in world.storage.queues[POISON].messages]
        assert [] == world.storage.queues[QUEUE].messages

    in_laptop_hub(promise)


def test_an_empty_queue_is_waited_for(in_laptop_hub: InLaptopHub) -> None:
    """
    Until the time is over; what comes meanwhile is taken.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue = world.a_queue(*ROLES)
        source = StorageBacklog(queue)

        assert [] == await source.receive(wait=0)
        received, _ = await asyncio.gather(source.receive(wait=10), queue.put(_devices(1), deadline=_soon()))
        assert 1 == len(received)

    in_laptop_hub(promise)


def test_a_worker_of_ones_own_empties_the_queue(in_laptop_hub: InLaptopHub) -> None:
    """
    `firstlight ingest work --cloud azure --once`, with the settings of the endpoint and nothing else.
    """

    async def promise(world: LaptopHubWorld) -> None:
        queue, devices = world.a_queue(*ROLES), _devices(150)
        await queue.put(devices, deadline=_soon())
        command = [sys.executable, "-m", "firstlight", "ingest", "work", "--cloud", "azure", "--once"]
        process = await asyncio.create_subprocess_exec(
            *command, env=world.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, log = await process.communicate()

        assert (0, True) == (process.returncode, b" done, 0 back in the queue." in out), log.decode()
        assert {d.ref for d in devices} == world.hub.devices.keys()
        assert [] == _texts(world)
        assert b"BEGIN CERTIFICATE" not in log

    in_laptop_hub(promise)
