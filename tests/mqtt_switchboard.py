"""
Conversations in MQTT without sockets: clients that say bytes and keep what they hear.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from firstlight.local.mqtt import Dialect, Happening, Hello, Message, Publisher, Reason, Refusal
from firstlight.local.mqtt.conversation import Conversation
from firstlight.local.mqtt.router import Router
from firstlight.local.mqtt.terms import Peer
from tests.mqtt_device import V5, block, packet, sized, text

PEER = Peer(certificate=None, server_name="localhost", address="127.0.0.1")


@dataclass(eq=False)
class Anybody:
    """
    A client that may do everything but what is in `forbidden`.
    """

    name: str
    forbidden: frozenset[str] = frozenset()

    @property
    def session(self) -> str:
        return self.name

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:
        return Reason.NOT_AUTHORIZED if topic in self.forbidden else Reason.SUCCESS

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        return Reason.NOT_AUTHORIZED if topic_filter in self.forbidden else Reason.SUCCESS

    def may_receive(self, topic: str) -> bool:
        return f"receive {topic}" not in self.forbidden


@dataclass
class OpenCloud:
    """
    Lets everybody in but `refusals`, by client id.
    """

    dialect: Dialect = field(default_factory=Dialect)
    forbidden: frozenset[str] = frozenset()
    refusals: dict[str, Refusal | Exception] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    async def opened(self, publish: Publisher) -> None:
        pass

    async def admit(self, hello: Hello) -> Anybody | Refusal:
        refusal = self.refusals.get(hello.client_id)
        if isinstance(refusal, Exception):
            raise refusal
        return refusal or Anybody(hello.client_id, self.forbidden)

    def arrived(self, client: object) -> None:
        pass

    def left(self, client: object) -> None:
        pass

    async def no_longer_welcome(self, clients: Iterable[object]) -> list[Anybody]:
        return []

    def published(self, client: object, message: Message) -> bool:
        return message.topic in self.kept

    async def closed(self) -> None:
        pass


@dataclass(eq=False)
class Phone:
    """
    The wire of one conversation and, at its other end, a client that hears packets.
    """

    version: int = V5
    congested: bool = False
    attentive: bool = True
    hung_up: bool = False
    first: tuple[int, bytes] = (0, b"")
    conversation: Conversation = field(init=False)
    _heard: bytearray = field(default_factory=bytearray)

    def write(self, packet: bytes) -> None:
        self._heard += packet

    def listen(self, *, attentively: bool) -> None:
        self.attentive = attentively

    def hang_up(self) -> None:
        self.hung_up = True

    def say(self, data: bytes) -> None:
        self.conversation.received(data)

    def heard(self) -> list[tuple[int, bytes]]:
        """
        Return (header, body) of everything heard since the last call.
        """
        data, found = bytes(self._heard), []
        self._heard.clear()
        while data:
            length = shift = 0
            at = 1
            while True:
                length |= (data[at] & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if not data[at - 1] & 0x80:
                    break
            found.append((data[0], data[at : at + length]))
            data = data[at + length :]
        return found

    def messages(self) -> list[tuple[str, bytes]]:
        """
        Return topic and payload of the messages heard.
        """
        found = []
        for header, body in self.heard():
            if header >> 4 == 3:
                at = 2 + int.from_bytes(body[:2], "big")
                topic = body[2:at].decode()
                at += 2 * bool(header & 0x06)
                at += 1 + body[at] if self.version == V5 else 0
                found.append((topic, body[at:]))
        return found

    def publish(self, topic: str, payload: bytes = b"x", *, qos: int = 0, retain: bool = False) -> None:
        head = text(topic) + (b"\x00\x09" if qos else b"") + (block() if self.version == V5 else b"")
        self.say(packet(0x30 | qos << 1 | retain, head + payload))

    def subscribe(self, *filters: str, qos: int = 0, options: int = 0) -> None:
        body = b"\x00\x07" + (block() if self.version == V5 else b"")
        self.say(packet(0x82, body + b"".join(text(f) + bytes((qos | options,)) for f in filters)))


class Switchboard:
    """
    One cloud and its router; `now` is the loop's clock.
    """

    def __init__(self, cloud: OpenCloud | None = None) -> None:
        self.cloud = cloud or OpenCloud()
        self.now = 0.0
        self.router = Router(self.cloud.dialect, lambda: self.now)
        self.journal: list[Happening] = []

    def phone(self, version: int = V5) -> Phone:
        phone = Phone(version)
        phone.conversation = Conversation(
            phone, PEER, cloud=self.cloud, router=self.router, journal=self.journal.append
        )
        return phone

    async def connected(self, client_id: str = "c", *, version: int = V5, **connect: object) -> Phone:
        """
        Return a phone that has been let in and has heard CONNACK, and nothing else yet.
        """
        phone = await self.called(client_id, version=version, **connect)
        header, body = phone.first
        assert (0x20, 0) == (header, body[1])
        return phone

    async def called(self, client_id: str = "c", *, version: int = V5, more: bytes = b"", **connect: object) -> Phone:
        """
        Return a phone that has said CONNECT (and *more* behind it); `first` is the first packet it heard.
        """
        phone = self.phone(version)
        phone.say(connect_packet(client_id, version=version, **connect) + more)  # type: ignore[arg-type]
        await settled()
        data = phone.heard()
        phone.first = data[0] if data else (0, b"")
        for header, body in data[1:]:
            phone.write(packet(header, body))
        return phone


async def settled() -> None:
    """
    Let everything that is due happen.
    """
    for _ in range(5):
        await asyncio.sleep(0)


def connect_packet(
    client_id: str,
    *,
    version: int = V5,
    clean: bool = True,
    keep_alive: int = 60,
    properties: bytes = b"",
    will: tuple[str, bytes] | None = None,
    will_retain: bool = False,
    flags: int = 0,
) -> bytes:
    flags |= 0x02 * clean | 0x04 * (will is not None) | 0x20 * will_retain
    body = text("MQTT") + bytes((version, flags)) + keep_alive.to_bytes(2, "big")
    body += (block(properties) if version == V5 else b"") + text(client_id)
    if will is not None:
        body += (block() if version == V5 else b"") + text(will[0]) + sized(will[1])
    return packet(0x10, body)
