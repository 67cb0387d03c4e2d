"""
What a CONNECT asks for and what the front door grants of it (MQTT 5 sections 3.1 and 3.2; 3.1.1 alike).
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any

from firstlight.certificates import Certificate
from firstlight.local.mqtt.cloud import Dialect, Hello, Message
from firstlight.local.mqtt.packets import V5, Connect
from firstlight.local.mqtt.properties import FORWARDED, Properties, Property
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.wire import PacketError

_MAX_PACKET = 268_435_460
_MAX_IN_FLIGHT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """
    Who is at the other end of a connection, before it says a word of MQTT.
    """

    certificate: Certificate | None
    server_name: str
    address: str
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    The terms of one connection.  Times in seconds, sizes in bytes.
    """

    connect: Connect
    expiry: int
    keep_alive: int
    max_packet: int
    max_in_flight: int
    assigned_client_id: bool = False

    @classmethod
    def of(cls, connect: Connect, dialect: Dialect) -> "Terms":
        """
        Raises:
            PacketError: the client asks for something that ends the connection.
        """
        asked = connect.properties
        if Property.AUTHENTICATION_METHOD in asked:
            raise PacketError("no enhanced authentication here", Reason.BAD_AUTHENTICATION_METHOD)
        if connect.will and connect.will.qos > 1:
            raise PacketError("a will with QoS 2", Reason.QOS_NOT_SUPPORTED)
        if len(connect.client_id) > dialect.max_client_id:
            raise PacketError("the client identifier is too long", Reason.CLIENT_ID_NOT_VALID)
        assigned = not connect.client_id
        if assigned:
            if connect.version != V5 and not connect.clean_start:
                raise PacketError("a session without a client identifier", Reason.CLIENT_ID_NOT_VALID)
            connect = connect._replace(client_id=secrets.token_hex(16))
        least, most = dialect.keep_alive
        wanted = _wanted_expiry(connect, dialect)
        return cls(
            connect=connect,
            expiry=min(wanted, dialect.session_expiry),
            keep_alive=max(least, min(connect.keep_alive, most)) if connect.keep_alive else most,
            max_packet=asked.get(Property.MAXIMUM_PACKET_SIZE, _MAX_PACKET),
            max_in_flight=min(asked.get(Property.RECEIVE_MAXIMUM, _MAX_IN_FLIGHT), dialect.max_in_flight),
            assigned_client_id=assigned,
        )

    def shortened(self, asked: Properties) -> "Terms":
        """
        Return the terms after a DISCONNECT that changes how long the session is kept.
        """
        wanted = asked.get(Property.SESSION_EXPIRY, self.expiry)
        # a session that was to end cannot be kept after all (section 3.14.2.2.2)
        return replace(self, expiry=min(wanted, self.expiry))

    @property
    def will(self) -> Message | None:
        will = self.connect.will
        return Message(will.topic, will.payload, will.qos, will.retain, forwarded(will.properties)) if will else None

    def hello(self, peer: Peer) -> Hello:
        connect = self.connect
        return Hello(
            client_id=connect.client_id,
            certificate=peer.certificate,
            server_name=peer.server_name,
            address=peer.address,
            version=connect.version,
            username=connect.username,
            password=connect.password,
            persistent=self.expiry > 0,
            will=self.will,
            chain=peer.chain,
        )

    def told(self, dialect: Dialect) -> Properties:
        """
        Return the properties of CONNACK: where the grant is less than the specification's default, or than asked.
        """
        told: dict[Property, Any] = {
            Property.RECEIVE_MAXIMUM: dialect.max_in_flight,
            Property.MAXIMUM_QOS: 1,
            Property.RETAIN_AVAILABLE: 1,
            Property.MAXIMUM_PACKET_SIZE: dialect.max_packet,
            Property.TOPIC_ALIAS_MAXIMUM: dialect.topic_aliases,
            Property.WILDCARD_SUBSCRIPTION_AVAILABLE: 1,
            Property.SUBSCRIPTION_IDENTIFIER_AVAILABLE: 0,
            Property.SHARED_SUBSCRIPTION_AVAILABLE: 0,
        }
        if self.assigned_client_id:
            told[Property.ASSIGNED_CLIENT_ID] = self.connect.client_id
        if self.keep_alive != self.connect.keep_alive:
            told[Property.SERVER_KEEP_ALIVE] = self.keep_alive
        if self.expiry != self.connect.properties.get(Property.SESSION_EXPIRY, 0):
            told[Property.SESSION_EXPIRY] = self.expiry
        return told


def forwarded(properties: Properties) -> Properties:
    """
    Return what of a message's properties its subscribers are told.
    """
    return {name: value for name, value in properties.items() if name in FORWARDED} if properties else properties


def _wanted_expiry(connect: Connect, dialect: Dialect) -> int:
    if connect.version == V5:
        return int(connect.properties.get(Property.SESSION_EXPIRY, 0))
    return 0 if connect.clean_start else dialect.session_expiry
