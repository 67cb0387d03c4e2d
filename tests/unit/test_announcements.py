"""
Announcements: written in batches, withdrawn, and made and taken back by a push.
"""

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from firstlight.certificates import Certificate
from firstlight.errors import (
    InactiveError,
    NameTakenError,
    NotAttemptedError,
    RegistryError,
    SettingsError,
    UnfinishedError,
)
from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.inspection import Sought, Standing
from firstlight.overflow import Later
from firstlight.provision import Registration
from firstlight.registries.announcing import AnnouncingRegistry
from firstlight.registries.aws_announcements import Announcement
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_dynamodb import dynamodb_from
from firstlight.registries.aws_environment import registry_from
from firstlight.registries.aws_operations import Call
from firstlight.settings import Settings
from tests.factory import NOW, Factory
from tests.first_connect_world import TABLE, World

KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def soon() -> float:
    return asyncio.get_running_loop().time() + 20


def many(count: int) -> list[Announcement]:
    return [Announcement(fingerprint=f"{n:064x}", name=f"device-{n}") for n in range(count)]


def test_an_announcement_is_found_as_it_was_made() -> None:
    """
    Name, attributes and expiry survive DynamoDB's types.
    """

    async def test() -> None:
        world = World()
        made = Announcement(fingerprint="ab" * 32, name="d", attributes=(("a", "1"), ("b", "")), expires=2_000_000_000)
        plain = Announcement(fingerprint="cd" * 32)
        announcements = world.announcements()
        await announcements.announce([made, plain], deadline=soon())
        for announcement in (made, plain):
            found = await announcements.find(announcement.fingerprint, now=NOW.timestamp(), deadline=soon())
            assert announcement == found
        assert await announcements.find("ef" * 32, now=NOW.timestamp(), deadline=soon()) is None

    run(test())


def test_batches_of_25_and_no_certificate_twice() -> None:
    """
    BatchWriteItem refuses a 26th item, and two items of one key.
    """

    async def test() -> None:
        world = World()
        twice = [*many(60), Announcement(fingerprint=f"{3:064x}", name="again")]
        answers = await world.announcements().announce(twice, deadline=soon())
        assert ([None] * 60, 60) == (list(answers.values()), len(world.items))
        assert 3 == world.calls.count("BatchWriteItem")
        assert {"S": "again"} == world.items[f"{3:064x}"]["thingName"]
        await world.announcements().withdraw(answers, deadline=soon())
        assert {} == world.items

    run(test())


def test_what_dynamodb_leaves_undone_is_asked_for_again() -> None:
    """
    UnprocessedItems is no error, and no success either.
    """

    async def test() -> None:
        world = World()
        left: list[list[str]] = []

        def half(call: Call) -> Answer | None:
            requests = json.loads(call.body)["RequestItems"][TABLE]
            if len(requests) == 1:
                return None
            undone = requests[len(requests) // 2 :]
            left.append([r["PutRequest"]["Item"]["certificateId"]["S"] for r in undone])
            for request in requests[: len(requests) // 2]:
                item = request["PutRequest"]["Item"]
                world.items[item["certificateId"]["S"]] = item
            body = {"UnprocessedItems": {TABLE: undone}}
            return Answer(call.operation, 200, "", json.dumps(body).encode())

        world.before = half
        answers = await world.announcements().announce(many(25), deadline=soon())
        assert ([None] * 25, 25) == (list(answers.values()), len(world.items))
        assert [13, 7, 4, 2, 1] == [len(names) for names in left]

    run(test())


def test_each_batch_has_its_own_answer() -> None:
    """
    One that DynamoDB refuses costs its neighbours nothing, and is named by certificate.
    """

    async def test() -> None:
        world = World()

        def refuse(call: Call) -> Answer | None:
            first = f"{0:064x}" in call.body.decode()
            return Answer(call.operation, 400, "AccessDeniedException") if first else None

        world.before = refuse
        answers = await world.announcements().announce(many(30), deadline=soon())
        errors = [error for error in answers.values() if error is not None]
        assert (25, 5) == (len(errors), len(world.items))
        assert (
            "Failed using the table Announcements: AWS does not allow dynamodb:BatchWriteItem here."
            == errors[0].message
        )

    run(test())


def test_an_odd_answer_costs_no_other_batch() -> None:
    """
    Nothing is raised, since a push would lose its answers with it.
    """

    async def test() -> None:
        world = World()

        def odd(call: Call) -> Answer | None:
            first = f"{0:064x}" in call.body.decode()
            return Answer(call.operation, 200, "", b'{"UnprocessedItems": null}') if first else None

        world.before = odd
        answers = await world.announcements().announce(many(30), deadline=soon())
        errors = [str(error) for error in answers.values() if error is not None]
        assert (25, 5) == (len(errors), len(world.items))
        assert errors[0].startswith("Failed using the table Announcements: unexpected AttributeError.")

    run(test())


def test_throttling_is_waited_out_and_a_missing_table_is_not() -> None:
    """
    An on-demand table doubles its traffic in steps; a table that is not there never comes.
    """

    async def test() -> None:
        world = World()

        def throttle(call: Call) -> Answer | None:
            if len(world.calls) > 3:
                return None
            return Answer(call.operation, 400, "ProvisionedThroughputExceededException")

        world.before = throttle
        assert [None] == list((await world.announcements().announce(many(1), deadline=soon())).values())
        world.before = lambda call: Answer(call.operation, 400, "ResourceNotFoundException")
        (error,) = (await world.announcements().announce(many(1), deadline=soon())).values()
        assert isinstance(error, RegistryError)
        assert "The DynamoDB table Announcements does not exist here." == error.message
        assert "first_connect" in error.hint

    run(test())


def test_what_is_not_done_in_time_is_said() -> None:
    """
    Each certificate has its answer, however little time there was.
    """

    async def test() -> None:
        past = asyncio.get_running_loop().time() - 1
        answers = await World().announcements().announce(many(30), deadline=past)
        assert {UnfinishedError} == {type(error) for error in answers.values()}

    run(test())


class _Inner:
    """
    A registry that answers what it is told, and looks what is announced while it works.
    """

    def __init__(self, world: World, *errors: Exception | None) -> None:
        self.world, self.errors, self.closed = world, errors, False
        self.announced: list[str] = []
        self.illegal: set[str] = set()

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Any]:
        self.announced = list(self.world.items)
        return [Registration("here" if error is None else "", error) for error in self.errors]  # type: ignore[arg-type]

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        return RegistryError("No such name.") if device.name in self.illegal else None

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> Sequence[Standing]:
        return []

    async def close(self) -> None:
        self.closed = True


def identities(*leaves: Certificate) -> list[DeviceIdentity]:
    return [DeviceIdentity.from_certificate(leaf, NamingRule(), (("a", "1"),)) for leaf in leaves]


def test_a_push_announces_first_and_takes_back_what_it_has_done(factory: Factory) -> None:
    """
    What a queue carries on stays announced, by the name it will have, for as long as a queue keeps it; who is refused
    for good is not let in by another door.
    """

    async def test() -> None:
        world = World()
        devices = identities(*(factory.leaf() for _ in range(3)))
        inner = _Inner(world, None, UnfinishedError("later"), NameTakenError.of("x"))
        registry = AnnouncingRegistry(inner, world.announcements(), inner, clock=NOW.timestamp)
        done = await registry.register(devices, deadline=soon())
        assert (["here", "", ""], 3) == ([made.endpoint for made in done], len(inner.announced))
        assert [devices[1].fingerprint] == list(world.items)
        item = world.items[devices[1].fingerprint]
        assert {"S": devices[1].name} == item["thingName"]
        assert {"N": str(int(NOW.timestamp()) + 14 * 86_400)} == item["expires"]
        await registry.close()
        assert inner.closed

    run(test())


def test_a_push_that_cannot_announce_provisions_all_the_same(
    factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is logged, once for all of them, and no answer changes.
    """

    async def test() -> None:
        world = World(before=lambda call: Answer(call.operation, 400, "AccessDeniedException"))
        inner = _Inner(world, None, InactiveError.of("PENDING_ACTIVATION"))
        registry = AnnouncingRegistry(inner, world.announcements(), inner)
        with caplog.at_level(logging.WARNING):
            done = await registry.register(identities(factory.leaf(), factory.leaf()), deadline=soon())
        assert ["here", ""] == [made.endpoint for made in done]
        assert isinstance(done[1].error, InactiveError)
        assert "2 certificates could not be announced: Failed using the table" in caplog.text

    run(test())


def test_a_push_that_cannot_announce_takes_back_nobodys_announcement_who_waits_outside(factory: Factory) -> None:
    """
    An operator announced the device, and it has connected: at its next connect it is let in all the same.
    """

    async def test() -> None:
        world = World()
        (device,) = identities(factory.leaf())
        await world.announcements().announce([Announcement(fingerprint=device.fingerprint)], deadline=soon())

        def refuse(call: Call) -> Answer | None:
            return Answer(call.operation, 400, "AccessDeniedException") if b"PutRequest" in call.body else None

        world.before = refuse
        inner = _Inner(world, InactiveError.of("PENDING_ACTIVATION"))
        await AnnouncingRegistry(inner, world.announcements(), inner).register([device], deadline=soon())
        assert [device.fingerprint] == list(world.items)

    run(test())


@pytest.mark.parametrize(
    ("status", "kind"),
    [("PENDING_ACTIVATION", UnfinishedError), ("REVOKED", InactiveError), ("INACTIVE", InactiveError)],
)
def test_a_device_that_came_before_its_push_is_let_in_later(
    factory: Factory, status: str, kind: type[Exception]
) -> None:
    """
    Nobody switched it off: it is announced now, and pushing again sees it done.
    """

    async def test() -> None:
        world = World()
        inner = _Inner(world, InactiveError.of(status))
        (made,) = await AnnouncingRegistry(inner, world.announcements(), inner).register(
            identities(factory.leaf()), deadline=soon()
        )
        assert kind is type(made.error)
        assert (kind is UnfinishedError) == bool(world.items)

    run(test())


def test_a_device_that_only_the_queue_provisions_is_announced_at_once(factory: Factory) -> None:
    """
    With respond-async its turn may be hours away, and it may connect before; not so one that AWS IoT never takes.
    """

    async def test() -> None:
        world = World()
        inner = _Inner(world)
        registry = AnnouncingRegistry(inner, world.announcements(), inner, clock=NOW.timestamp)
        device, nameless = identities(factory.leaf(), factory.leaf())
        inner.illegal = {nameless.name}
        made, refused = await Later(registry).register([device, nameless], deadline=soon())
        assert isinstance(made.error, NotAttemptedError)
        assert "No such name." == str(refused.error)
        assert [device.fingerprint] == list(world.items)
        assert {"S": device.name} == world.items[device.fingerprint]["thingName"]

    run(test())


def test_the_setting_makes_a_registry_announce() -> None:
    """
    Without it there is no call to DynamoDB at all.
    """
    env = {**KEYS, "AWS_REGION": "eu-west-1"}
    assert not isinstance(registry_from(Settings(), env), AnnouncingRegistry)
    assert isinstance(registry_from(Settings(announcements_table="T"), env), AnnouncingRegistry)
    with pytest.raises(SettingsError):
        dynamodb_from(KEYS)
