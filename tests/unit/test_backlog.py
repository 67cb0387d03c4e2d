import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from firstlight.backlog import Message, Worked, comes_again, work
from firstlight.errors import (
    CertificateError,
    FirstlightError,
    IdentityError,
    InactiveError,
    NameTakenError,
    QueuedError,
    RegistryError,
    ThrottledError,
)
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.overflow import Waiting, encode
from firstlight.provision import Admission, Outcome, Registration
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import MemoryRegistry
from tests.factory import NOW, Factory, at_noon

ADMISSION = Admission(rule=NamingRule(prefix="Infineon_"))


class _Throttled:
    """
    Registers the first device only.
    """

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        error = ThrottledError("Still throttling.")
        return [Registration("host"), *[Registration(error=error)] * (len(devices) - 1)]


def _message(handle: str, *pems: str) -> Message:
    return Message.of(handle, encode(Waiting(f"r{handle}", pem) for pem in pems))


def _work(*messages: Message, registry: MemoryRegistry | _Throttled | None = None, late: bool = False) -> Worked:
    now = (lambda: NOW + timedelta(days=36_500)) if late else at_noon
    return asyncio.run(work(messages, registry or MemoryRegistry(), admission=ADMISSION, now=now, deadline=0))


def _handles(messages: Sequence[Message]) -> list[str]:
    return [message.handle for message in messages]


def test_what_is_provisioned_is_done(factory: Factory) -> None:
    """
    Twice in one batch too: a queue may deliver a message more than once.
    """
    pem = factory.leaf().pem

    worked = _work(_message("1", pem), _message("2", pem), registry=(registry := MemoryRegistry()))

    assert ["1", "2"] == _handles(worked.done)
    assert 1 == len(registry.devices)


def test_what_is_not_finished_goes_back_and_nothing_else(factory: Factory) -> None:
    """
    A message of several devices goes back whole; the done ones cost nothing when they come again.
    """
    one, two, three = (factory.leaf(serial=n).pem for n in (1, 2, 3))

    worked = _work(_message("1", one), _message("2", two), _message("3", one, three), registry=_Throttled())

    assert (["1"], ["2", "3"]) == (_handles(worked.done), _handles(worked.again))


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"v":2,"certs":[]}', '{"v":1,"certs":[{"ref":"a"}]}', "\x00"])
def test_a_message_that_nobody_of_us_wrote_goes_back(factory: Factory, body: str) -> None:
    """
    Until its queue puts it aside, where a person finds it; the others of its batch are done.
    """
    worked = _work(Message.of("odd", body), _message("1", factory.leaf().pem))

    assert (["1"], ["odd"], 1) == (_handles(worked.done), _handles(worked.again), worked.strange)


def test_what_can_never_work_is_done_and_said(factory: Factory) -> None:
    """
    A certificate that expired while it waited would come again for nothing.
    """
    worked = _work(_message("1", factory.leaf().pem), late=True)

    assert (["1"], ["certificate"]) == (_handles(worked.done), [o.error.code for o in worked.outcomes if o.error])


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (None, False),
        (CertificateError("x"), False),
        (IdentityError("x"), False),
        (NameTakenError.of("x"), False),
        (InactiveError.of("REVOKED"), False),
        (InactiveError.of("INACTIVE"), False),
        (InactiveError.of("PENDING_ACTIVATION"), True),
        (ThrottledError("x"), True),
        (QueuedError.of(), True),
        (RegistryError("AWS does not allow iot:CreateThing here."), True),
    ],
)
def test_refusals_that_an_operator_can_lift_come_again(*, error: FirstlightError | None, again: bool) -> None:
    """
    A missing permission or policy is mended while the device waits, and who connected before its turn comes in.
    """
    assert again == comes_again(Outcome("a", error=error))


def test_the_memory_queue_keeps_what_is_not_done() -> None:
    """
    It is what `firstlight ingest work` is rehearsed with: again comes again, and at last goes aside.
    """

    async def rehearse() -> None:
        queue = MemoryQueue(batch=2, most=2)
        await queue.put([Waiting("a", "A"), Waiting("b", "B"), Waiting("c", "C")], deadline=0)
        queue.send("poison")

        first = await queue.receive(wait=1)
        await queue.done(first)
        for _ in range(2):
            await queue.again(await queue.receive(wait=1))

        assert [] == await queue.receive(wait=0)
        assert "poison" == queue.dead[1]
        assert "c" == json.loads(queue.dead[0])["certs"][0]["ref"]

    asyncio.run(rehearse())
