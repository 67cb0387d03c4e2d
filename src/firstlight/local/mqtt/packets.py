"""
What a client can say in MQTT 3.1.1 and 5, as plain values.
"""

from enum import IntEnum
from typing import NamedTuple

from firstlight.local.mqtt.properties import NONE, Properties

V311, V5 = 4, 5


class Kind(IntEnum):
    """
    Control packet types (section 2.1.2), in the high half of the first byte.
    """

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Will(NamedTuple):
    """
    What is published for a client that goes without a word.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties


class Connect(NamedTuple):
    """
    The first packet of a connection; `version` is 4 (3.1.1) or 5, `keep_alive` in seconds.
    """

    version: int
    client_id: str
    clean_start: bool
    keep_alive: int
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = NONE


class Publish(NamedTuple):
    """
    A message on its way in; `packet_id` is 0 with QoS 0.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int = 0
    properties: Properties = NONE


class PubAck(NamedTuple):
    """
    The client has the message.
    """

    packet_id: int


class Request(NamedTuple):
    """
    One topic filter of a SUBSCRIBE and how its messages are wanted.
    """

    topic_filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(NamedTuple):
    packet_id: int
    requests: tuple[Request, ...]
    properties: Properties = NONE


class Unsubscribe(NamedTuple):
    packet_id: int
    filters: tuple[str, ...]


class Ping(NamedTuple):
    pass


class Disconnect(NamedTuple):
    """
    The client goes on purpose; `reason` 0x04 asks for its will all the same.
    """

    reason: int = 0
    properties: Properties = NONE


Packet = Connect | Publish | PubAck | Subscribe | Unsubscribe | Ping | Disconnect
