"""
What a cloud decides about sessions: whose they are, who hears of them, which versions are spoken.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from firstlight.local.mqtt import Dialect, Hello, Message, Refusal
from tests.mqtt_device import V5, V311
from tests.mqtt_switchboard import Anybody, OpenCloud, Switchboard


@dataclass(eq=False)
class Tenant(Anybody):
    """
    A client of one of several places, each with clients of the same names.
    """

    place: str = ""

    @property
    def session(self) -> str:
        return f"{self.place}/{self.name}"


@dataclass
class Places(OpenCloud):
    """
    Each connection is to the place named next; `seen` is who came and went.
    """

    places: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def admit(self, hello: Hello) -> Tenant | Refusal:
        return Tenant(hello.client_id, place=self.places.pop(0))

    def arrived(self, client: object) -> None:
        self.seen.append(f"+{client.session}")  # type: ignore[attr-defined]

    def left(self, client: object) -> None:
        self.seen.append(f"-{client.session}")  # type: ignore[attr-defined]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_one_name_in_two_places_is_two_sessions() -> None:
    """
    Neither takes the other's connection over, and the cloud's word to one does not reach the other.
    """

    async def test() -> None:
        board = Switchboard(Places(places=["hub1", "hub2"]))
        one, other = await board.connected("dev"), await board.connected("dev")
        for phone in (one, other):
            phone.subscribe("answers/#")
            phone.heard()
        assert board.router.publish(Message("answers/1", b"x"), only="hub1/dev")
        assert ([("answers/1", b"x")], []) == (one.messages(), other.messages())
        assert not one.hung_up

    run(test())


def test_publishing_says_whether_anybody_had_asked() -> None:
    """
    A session that is not there, or has not subscribed, has not.
    """

    async def test() -> None:
        board = Switchboard(Places(places=["hub1"]))
        phone = await board.connected("dev")
        message = Message("answers/1", b"x")
        assert not board.router.publish(message, only="hub2/dev")
        assert not board.router.publish(message, only="hub1/dev")
        assert not board.router.publish(message)
        phone.subscribe("answers/+")
        assert board.router.publish(message, only="hub1/dev")
        assert board.router.publish(message)

    run(test())


def test_a_cloud_is_told_who_comes_and_goes() -> None:
    """
    In order, also when a client comes again before it has gone; a refused one never came.
    """

    async def test() -> None:
        cloud = Places(places=["hub1", "hub1"])
        board = Switchboard(cloud)
        await board.connected("dev")
        again = await board.connected("dev")
        again.conversation.lost()
        assert ["+hub1/dev", "-hub1/dev", "+hub1/dev", "-hub1/dev"] == cloud.seen

    run(test())


def test_a_cloud_may_speak_one_version_only() -> None:
    """
    A client of another is told so in the words of 3.1.1, which every client understands.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(versions=frozenset({V311}))))
        await board.connected("old", version=V311)
        new = await board.called("new", version=V5)
        assert ((0x20, b"\x00\x01"), True) == (new.first, new.hung_up)
        assert f"version {V5} of MQTT is not spoken here" == board.journal[-1].why

    run(test())


def test_a_topic_that_ends_a_conversation_ends_it_for_the_cloud_too() -> None:
    """
    MQTT 3.1.1 has no other way to say no.
    """

    async def test() -> None:
        cloud = Places(places=["hub1"], dialect=Dialect(versions=frozenset({V311})))
        board = Switchboard(cloud)
        phone = await board.connected("dev", version=V311)
        phone.publish("any", qos=2)
        assert (["+hub1/dev", "-hub1/dev"], True) == (cloud.seen, phone.hung_up)

    run(test())
