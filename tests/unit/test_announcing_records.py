"""
Records of manifests to announcements, a row each.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from firstlight.errors import ManifestError, RegistryError
from firstlight.identity import Naming, NamingRule
from firstlight.importing.announcing import Announcing, Row, Status
from firstlight.manifests import Record
from firstlight.registries.aws_answer import Answer
from tests.factory import Factory, at_noon
from tests.first_connect_world import World


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def record(factory: Factory, ref: str = "r", **more: Any) -> Record:
    return Record(ref, factory.leaf(serial=0x15FC8EA1).pem.encode(), f"{ref}.pem", **more)


def test_each_record_has_a_row_and_each_certificate_an_announcement(factory: Factory) -> None:
    """
    An entry that cannot be used, a CA certificate and an unread one cost their neighbours nothing.
    """

    async def test() -> None:
        world, heard = World(), []
        records = [
            record(factory, "one"),
            Record("bad", source="reel.csv row 2", error=ManifestError("It has no certificate.")),
            Record("ca", factory.ca.pem.encode(), "ca.pem"),
            Record("junk", b"junk", "junk.pem"),
            record(factory, "two", attributes=(("batch", "7"),)),
        ]
        rows = await Announcing(now=at_noon).run(records, world.announcements(), heard=heard.append)
        assert ["ANNOUNCED", "ERROR", "ERROR", "ERROR", "ANNOUNCED"] == [row.status for row in rows]
        assert Row("bad", "reel.csv row 2", Status.ERROR, message="It has no certificate.") == rows[1]
        assert {rows[0].fingerprint, rows[4].fingerprint} == set(world.items)
        assert {"M": {"batch": {"S": "7"}}} == world.items[rows[4].fingerprint]["attributes"]
        assert [5] == heard

    run(test())


def test_names_and_an_expiry_are_what_was_asked_for(factory: Factory) -> None:
    """
    Without a rule the template names the thing, so nothing is written; with one the name is known before.
    """

    async def test() -> None:
        world = World()
        (plain,) = await Announcing(now=at_noon).run([record(factory)], world.announcements())
        rule = NamingRule(Naming.SERIAL, "reel-")
        named = Announcing(now=at_noon, rule=rule, expires=1_900_000_000)
        (row,) = await named.run([record(factory)], world.announcements())
        assert ("", "reel-15fc8ea1") == (plain.name, row.name)
        assert ["certificateId"] == list(world.items[plain.fingerprint])
        item = world.items[row.fingerprint]
        assert ({"S": "reel-15fc8ea1"}, {"N": "1900000000"}) == (item["thingName"], item["expires"])

    run(test())


def test_what_no_thing_can_be_or_have_is_not_announced(factory: Factory) -> None:
    """
    The device would be refused whenever it connects, and nobody would have said so; withdrawn it may be.
    """

    async def test() -> None:
        world, rule = World(), NamingRule(Naming.COMMON_NAME, "")
        given = {'""': (), "sensor-1": (("line", "Line 7"),), "sensor-2": (("line", "7"),)}
        records = [Record(name, factory.leaf(name).pem.encode(), attributes=a) for name, a in given.items()]
        rows = await Announcing(now=at_noon, rule=rule).run(records, world.announcements())
        assert ["ERROR", "ERROR", "ANNOUNCED"] == [row.status for row in rows]
        assert "is no thing name" in rows[0].message
        assert "'Line 7' as the attribute 'line'" in rows[1].message
        assert [rows[2].fingerprint] == list(world.items)
        rows = await Announcing(now=at_noon, rule=rule, withdraw=True).run(records, world.announcements())
        assert ([Status.WITHDRAWN] * 3, {}) == ([row.status for row in rows], world.items)

    run(test())


def test_withdrawing_takes_back_what_an_expired_certificate_had(factory: Factory) -> None:
    """
    Whoever may not be announced any more may well be withdrawn, and so may who never was.
    """

    async def test() -> None:
        world = World()
        expired = Record("old", factory.odd(days=(-30, -1)), "old.der")
        (row,) = await Announcing(now=at_noon).run([expired], world.announcements())
        assert (Status.ERROR, {}) == (row.status, world.items)
        known = record(factory)
        await Announcing(now=at_noon).run([known], world.announcements())
        rows = await Announcing(now=at_noon, withdraw=True).run([known, expired], world.announcements())
        assert ([Status.WITHDRAWN] * 2, {}) == ([row.status for row in rows], world.items)

    run(test())


def test_a_refusal_of_all_is_said_once(factory: Factory) -> None:
    """
    A table that is not there, or a permission that lacks, would fill ten thousand rows.
    """

    async def test() -> None:
        world = World(before=lambda call: Answer(call.operation, 400, "AccessDeniedException"))
        with pytest.raises(RegistryError, match="BatchWriteItem"):
            await Announcing(now=at_noon).run([record(factory), record(factory)], world.announcements())

    run(test())


def test_a_certificate_twice_is_one_announcement_and_two_rows(factory: Factory) -> None:
    """
    As a push answers it.
    """

    async def test() -> None:
        world, twice = World(), record(factory)
        rows = await Announcing(now=at_noon).run([twice, twice], world.announcements())
        assert [Status.ANNOUNCED] * 2 == [row.status for row in rows]
        assert 1 == len(world.items)

    run(test())
