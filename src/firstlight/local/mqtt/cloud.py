"""
What a front door needs of the cloud it stands for: who may come in, and what they may do.

The front door speaks TLS and MQTT and decides nothing; a cloud's personality decides and speaks neither.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from firstlight.certificates import Certificate
from firstlight.local.mqtt.packets import V5, V311
from firstlight.local.mqtt.properties import NONE, Properties
from firstlight.local.mqtt.reasons import Reason


class Message(NamedTuple):
    """
    What is published; `properties` are MQTT 5's, those a subscriber is told.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """
    What a client shows at CONNECT; possession of the certificate's key is already proven.

    `certificate` is None when it cannot even be parsed; `address` is the client's IP address.
    `chain` is what it sent behind its certificate: certificates it picked, in any order, not checked.
    """

    client_id: str
    certificate: Certificate | None
    server_name: str
    address: str
    version: int
    username: str | None = None
    password: bytes | None = None
    persistent: bool = False
    will: Message | None = None
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Not let in.  *why* is for the log; the client hears *reason*, or with None only sees the connection close.
    """

    why: str
    reason: Reason | None = None


class Client(Protocol):
    """
    Somebody who was let in.  Asked for every message: answer from memory.
    """

    @property
    def name(self) -> str:
        """
        Who it is, for the log.
        """

    @property
    def session(self) -> str:
        """
        What its session is kept under: the client id, with whatever else sets it apart from another's.
        """

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:
        """
        Return SUCCESS, or why this client may not publish to *topic*.
        """

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        """
        Return SUCCESS, or why this client may not subscribe to *topic_filter*.
        """

    def may_receive(self, topic: str) -> bool:
        """
        Whether a message on *topic* is for this client, subscribed as it is.
        """


# Publishes as the cloud itself; named a session (`Client.session`), only that one can receive it.
# Returns whether anybody had asked for it.
Publisher = Callable[[Message, str | None], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """
    Where clouds differ in MQTT.  Sizes in bytes, times in seconds.

    `keep_alive` is the least and the most a client may ask for; no keep-alive means the most.
    """

    max_packet: int = 268_435_455
    max_payload: int = 268_435_455
    max_levels: int = 128
    max_topic: int = 65_535
    max_filters: int = 64
    max_subscriptions: int = 1_000
    max_in_flight: int = 100
    max_queued: int = 1_000
    max_client_id: int = 65_535
    topic_aliases: int = 0
    keep_alive: tuple[int, int] = (1, 65_535)
    session_expiry: int = 3_600
    versions: frozenset[int] = frozenset({V311, V5})
    # `sport/#` meets `sport` in the specification
    hash_meets_parent: bool = True
    # with a wildcard in the filter, retained messages come on subscribing in the specification
    retained_meet_wildcards: bool = True
    # 3.1.1: SUBSCRIBE with QoS 2 is granted less in the specification; a cloud may answer nothing at all
    refuses_qos_2_subscription: bool = False


class Cloud(Protocol):
    """
    One cloud's personality.
    """

    @property
    def dialect(self) -> Dialect:
        """
        Its ways with MQTT.
        """

    async def opened(self, publish: Publisher) -> None:
        """
        The front door is open; *publish* works until `closed`.
        """

    async def admit(self, hello: Hello) -> Client | Refusal:
        """
        Decide who is at the door.  May take its time; never raises.
        """

    def arrived(self, client: Client) -> None:
        """
        *client*, admitted, has been told so and can receive.
        """

    def left(self, client: Client) -> None:
        """
        The connection of *client*, which had arrived, is over; perhaps because it came again.
        """

    async def no_longer_welcome(self, clients: Collection[Client]) -> Iterable[Client]:
        """
        Return those of *clients* who must go now.  Asked every few seconds.
        """

    def published(self, client: Client, message: Message) -> bool:
        """
        *client* has published *message*, as it may.  Return whether the cloud keeps it from other clients.
        """

    async def closed(self) -> None:
        """
        The front door is closed: finish what is under way.
        """
