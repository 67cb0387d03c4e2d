"""
What a push cannot finish, and the preference to be answered before anything is provisioned.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

from firstlight.errors import CertificateError, FirstlightError, NameTakenError, RegistryError, ThrottledError
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.interop import Interop, Reply, Request
from firstlight.overflow import Overflow, Waiting
from firstlight.provision import Admission, Registration, Registry
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import MemoryRegistry
from firstlight.tokens import Basic
from tests.factory import Factory, at_noon
from tests.faults import virtual_time

QUEUED = "queued: provisioning continues, push again or ask for status."
CREDENTIALS = {"authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


class _Slow:
    """
    Registers one device a push, refuses those with serial 2, and has no time for the rest.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self.seconds.append(deadline - asyncio.get_running_loop().time())
        return [self._register(i, device) for i, device in enumerate(devices)]

    def _register(self, position: int, device: DeviceIdentity) -> Registration:
        if device.serial == "02":
            return Registration(error=NameTakenError.of(device.name))
        return Registration(error=ThrottledError("Still throttling.")) if position else Registration("host")


class _Leaky(MemoryQueue):
    """
    Loses every second device, and says so.
    """

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        await super().put(waiting[::2], deadline=deadline)
        return [RegistryError("The queue is full.") if i % 2 else None for i in range(len(waiting))]


class _Foreseeing(MemoryRegistry):
    """
    Never takes who has serial 2, and says so beforehand.
    """

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        return RegistryError("It is no name.") if device.serial == "02" else None


def _interop(registry: Registry, overflow: Overflow | None) -> Interop:
    return Interop(
        registry=registry,
        guard=Basic("me:secret"),
        admission=Admission(rule=NamingRule(prefix="Infineon_")),
        topic="iqs",
        now=at_noon,
        overflow=overflow,
        inspector=MemoryRegistry(),
    )


def _push(interop: Interop, *pems: str, seconds: float = 25, prefer: str = "") -> Reply:
    certs = [{"ref": f"r{i}", "cert": base64.b64encode(pem.encode()).decode()} for i, pem in enumerate(pems)]
    body = json.dumps({"action": "provision", "certs": certs}).encode()
    headers = CREDENTIALS | ({"prefer": prefer} if prefer else {})

    async def ask() -> Reply:
        deadline = asyncio.get_running_loop().time() + seconds
        return await interop.answer(Request("POST", "/interop", headers, body), deadline=deadline)

    return virtual_time.run(ask())


def _answers(reply: Reply) -> list[dict[str, Any]]:
    value = json.loads(reply.body)
    assert isinstance(value, list)
    return value


def _queued(queue: MemoryQueue) -> list[str]:
    return [json.loads(body)["certs"][0]["ref"] for body in queue.bodies.values()]


def test_what_a_push_cannot_finish_is_queued_and_answered_as_an_error(factory: Factory) -> None:
    """
    An ERROR, because the device cannot connect yet; the protocol's fields and no others.
    """
    pems = [factory.leaf(serial=n).pem for n in (1, 2, 3, 4)]
    queue = MemoryQueue()

    reply = _push(_interop(_Slow(), queue), *pems)

    late = {"status": "ERROR", "message": QUEUED}
    assert 200 == reply.status
    assert [{"ref": "r2"} | late, {"ref": "r3"} | late] == _answers(reply)[2:]
    assert ["SUCCESS", "ERROR"] == [a["status"] for a in _answers(reply)[:2]]
    assert "belongs to another" in _answers(reply)[1]["message"]
    assert ["r2", "r3"] == _queued(queue)


def test_a_device_pushed_twice_is_queued_once(factory: Factory) -> None:
    """
    And answered twice.
    """
    one, two = factory.leaf().pem, factory.leaf().pem
    queue = MemoryQueue()

    reply = _push(_interop(_Slow(), queue), one, two, two)

    assert ["SUCCESS", "ERROR", "ERROR"] == [a["status"] for a in _answers(reply)]
    assert 1 == len(queue.bodies)


def test_what_could_not_be_queued_keeps_its_own_error(factory: Factory) -> None:
    """
    Nobody is told that provisioning continues when it does not; the log hears why.
    """
    pems = [factory.leaf(serial=n).pem for n in (1, 3, 4)]

    reply = _push(_interop(_Slow(), _Leaky()), *pems)

    assert [QUEUED, "Still throttling."] == [a["message"] for a in _answers(reply)[1:]]
    assert ["The queue is full."] == [str(error) for error in reply.unqueued]


def test_a_push_keeps_time_to_queue_the_rest(factory: Factory) -> None:
    """
    Three seconds, of a short one half; none without a queue.
    """
    slow = _Slow()
    pem = factory.leaf().pem

    _push(_interop(slow, MemoryQueue()), pem, seconds=25)
    _push(_interop(slow, MemoryQueue()), pem, seconds=2)
    _push(_interop(slow, None), pem, seconds=25)

    assert [22, 1, 25] == slow.seconds


def test_respond_async_queues_everything_usable(factory: Factory) -> None:
    """
    202 and PENDING at once; what can never be provisioned is an ERROR at once.
    """
    good, expired = factory.leaf(serial=1).pem, factory.odd(days=(-2, -1))
    queue, slow = MemoryQueue(), _Slow()
    interop = _interop(slow, queue)

    reply = _push(interop, good, "no certificate", expired.decode("latin-1"), good, prefer="wait=1, Respond-Async")

    assert (202, "respond-async") == (reply.status, reply.headers["Preference-Applied"])
    pending, undecodable, also, again = _answers(reply)
    assert [{"ref": "r0", "status": "PENDING"}, {"ref": "r3", "status": "PENDING"}] == [pending, again]
    assert ["ERROR", "ERROR"] == [undecodable["status"], also["status"]]
    assert undecodable["message"].startswith("Cannot decode certificate")
    assert (1, []) == (len(queue.bodies), slow.seconds)


def test_respond_async_refuses_whom_the_region_does_not_let_in(factory: Factory) -> None:
    """
    Expired, or of a CA nobody trusts: said now, not by a log later.
    """
    trusting = _interop(_Slow(), queue := MemoryQueue())
    der = base64.b64encode(factory.odd(days=(-2, -1))).decode()
    body = json.dumps({"action": "provision", "certs": [{"ref": "old", "cert": der}]}).encode()
    request = Request("POST", "/interop", CREDENTIALS | {"prefer": "respond-async"}, body)

    (answer,) = _answers(asyncio.run(trusting.answer(request, deadline=0)))

    assert "ERROR" == answer["status"]
    assert "out of range" in answer["message"]
    assert not queue.bodies


def test_respond_async_says_what_could_not_be_queued(factory: Factory) -> None:
    """
    PENDING is said only of what is certainly in the queue.
    """
    reply = _push(_interop(_Slow(), _Leaky()), factory.leaf().pem, factory.leaf().pem, prefer="respond-async")

    assert [{"ref": "r0", "status": "PENDING"}, {"ref": "r1", "status": "ERROR", "message": "The queue is full."}] == (
        _answers(reply)
    )


def test_without_a_queue_the_preference_is_ignored(factory: Factory) -> None:
    """
    As RFC 7240 allows; the answer does not claim that it was applied.
    """
    reply = _push(_interop(MemoryRegistry(), None), factory.leaf().pem, prefer="respond-async")

    assert (200, "SUCCESS") == (reply.status, _answers(reply)[0]["status"])
    assert "Preference-Applied" not in reply.headers


def test_the_limits_of_a_push_hold_for_every_action() -> None:
    """
    A list of the wrong kind is 400 with and without a queue.
    """
    interop = _interop(_Slow(), MemoryQueue())
    for action in ("provision", "status"):
        body = json.dumps({"action": action, "certs": {}}).encode()
        reply = asyncio.run(interop.answer(Request("POST", "/interop", CREDENTIALS, body), deadline=0))
        assert (400, {"error": "certs must be a list."}) == (reply.status, json.loads(reply.body))


def test_a_pusher_without_attributes_queues_none(factory: Factory) -> None:
    """
    The message holds what a worker needs: ref, leaf, nothing else.
    """
    queue = MemoryQueue()
    leaf = factory.leaf()

    _push(_interop(_Slow(), queue), leaf.pem + factory.ca.pem, prefer="respond-async")

    assert [{"v": 1, "certs": [{"ref": "r0", "cert": leaf.pem}]}] == [json.loads(b) for b in queue.bodies.values()]


def test_an_error_of_the_callers_is_never_queued(factory: Factory) -> None:
    """
    Trying again could not help it.
    """
    queue = MemoryQueue()
    reply = _push(_interop(_Slow(), queue), "junk")

    assert isinstance(reply.outcomes[0].error, CertificateError)
    assert not queue.bodies


def test_respond_async_queues_nobody_whom_the_cloud_never_takes(factory: Factory) -> None:
    """
    No worker could mend it.
    """
    queue = MemoryQueue()
    pems = [factory.leaf(serial=n).pem for n in (1, 2, 3)]

    reply = _push(_interop(_Foreseeing(), queue), *pems, prefer="respond-async")

    assert [
        {"ref": "r0", "status": "PENDING"},
        {"ref": "r1", "status": "ERROR", "message": "It is no name."},
        {"ref": "r2", "status": "PENDING"},
    ] == _answers(reply)
    assert ["r0", "r2"] == _queued(queue)
