"""
Packets from a client: header and body to a value, or why the connection must end.
"""

from firstlight.local.mqtt import properties
from firstlight.local.mqtt.packets import (
    V5,
    V311,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    PubAck,
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
    Will,
)
from firstlight.local.mqtt.properties import NONE, Property
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.wire import PacketError, Reader, decoded

_MAX_QOS = 2
_PROTOCOL = "MQTT"
_MAX_RETAIN_HANDLING = 2


def connect(header: int, body: bytes) -> Connect:
    """
    Read the packet that must come first (section 3.1).

    Raises:
        PacketError: it is no CONNECT, its version is not spoken here, or it is malformed.
    """
    if header != Kind.CONNECT << 4:
        raise PacketError("the first packet is not CONNECT", Reason.PROTOCOL_ERROR)
    reader = Reader(body)
    name, version = reader.text(), reader.byte()
    if name != _PROTOCOL or version not in (V311, V5):
        raise PacketError(f"{name!r} version {version} is not spoken here", Reason.UNSUPPORTED_VERSION)
    flags = reader.byte()
    if flags & 0x01:
        raise PacketError("the reserved flag of CONNECT is set")
    keep_alive = reader.two_bytes()
    given = properties.read(reader, properties.IN_CONNECT) if version == V5 else NONE
    if given.get(Property.RECEIVE_MAXIMUM) == 0 or given.get(Property.MAXIMUM_PACKET_SIZE) == 0:
        raise PacketError("a maximum of CONNECT is zero", Reason.PROTOCOL_ERROR)
    client_id = reader.text()
    will = _will(reader, flags, version)
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    if version == V311 and password is not None and username is None:
        raise PacketError("there is a password without a user name")
    reader.require_end()
    return Connect(version, client_id, bool(flags & 0x02), keep_alive, username, password, will, given)


def packet(header: int, body: bytes, version: int) -> Packet:
    """
    Read any packet after CONNECT, in the *version* that CONNECT said.

    Raises:
        PacketError: a client must not send it here, or it is malformed.
    """
    kind = header >> 4
    if kind == Kind.PUBLISH:
        return _publish(header, body, version)
    if kind == Kind.PUBACK and header & 0x0F == 0:
        return _puback(body, version)
    if kind == Kind.SUBSCRIBE and header & 0x0F == 0x02:  # noqa: PLR2004 -- 0b0010, section 2.1.3
        return _subscribe(body, version)
    if kind == Kind.UNSUBSCRIBE and header & 0x0F == 0x02:  # noqa: PLR2004 -- as above
        return _unsubscribe(body, version)
    if header == Kind.PINGREQ << 4 and not body:
        return Ping()
    if header == Kind.DISCONNECT << 4:
        return _disconnect(body, version)
    raise PacketError(f"a packet of type {kind} with flags {header & 0x0F:#x} is not for the server here")


def _publish(header: int, body: bytes, version: int) -> Publish:
    qos = header >> 1 & 0x03
    if qos > _MAX_QOS:
        raise PacketError("QoS 3 does not exist")
    # by hand rather than with a Reader: nearly every packet is a PUBLISH
    at = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else len(body) + 1
    if at > len(body):
        raise PacketError("the packet is shorter than its fields say")
    topic = decoded(body[2:at])
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2
        if not packet_id or at > len(body):
            raise PacketError("a message with QoS has no packet identifier")
    retain = bool(header & 0x01)
    if version == V311:
        return Publish(topic, body[at:], qos, retain, packet_id)
    reader = Reader(body[at:])
    given = properties.read(reader, properties.IN_PUBLISH)
    return Publish(topic, reader.rest(), qos, retain, packet_id, given)


def _puback(body: bytes, version: int) -> PubAck:
    reader = Reader(body)
    packet_id = _packet_id(reader)
    if version == V5 and not reader.at_end:
        reader.byte()
        if not reader.at_end:
            properties.read(reader, properties.IN_PUBACK)
    reader.require_end()
    return PubAck(packet_id)


def _subscribe(body: bytes, version: int) -> Subscribe:
    reader = Reader(body)
    packet_id = _packet_id(reader)
    given = properties.read(reader, properties.IN_SUBSCRIBE) if version == V5 else NONE
    requests = []
    while not reader.at_end:
        requests.append(_request(reader, version))
    if not requests:
        raise PacketError("a SUBSCRIBE has no topic filter", Reason.PROTOCOL_ERROR)
    return Subscribe(packet_id, tuple(requests), given)


def _request(reader: Reader, version: int) -> Request:
    topic_filter, options = reader.text(), reader.byte()
    qos, reserved = options & 0x03, options & (0xC0 if version == V5 else 0xFC)
    retain_handling = options >> 4 & 0x03 if version == V5 else 0
    if qos > _MAX_QOS or reserved or retain_handling > _MAX_RETAIN_HANDLING:
        raise PacketError("the options of a subscription are malformed")
    return Request(topic_filter, qos, bool(options & 0x04), bool(options & 0x08), retain_handling)


def _unsubscribe(body: bytes, version: int) -> Unsubscribe:
    reader = Reader(body)
    packet_id = _packet_id(reader)
    if version == V5:
        properties.read(reader, properties.IN_UNSUBSCRIBE)
    filters = []
    while not reader.at_end:
        filters.append(reader.text())
    if not filters:
        raise PacketError("an UNSUBSCRIBE has no topic filter", Reason.PROTOCOL_ERROR)
    return Unsubscribe(packet_id, tuple(filters))


def _disconnect(body: bytes, version: int) -> Disconnect:
    reader = Reader(body)
    if version == V311:
        reader.require_end()
        return Disconnect()
    reason = 0 if reader.at_end else reader.byte()
    given = NONE if reader.at_end else properties.read(reader, properties.IN_DISCONNECT)
    reader.require_end()
    return Disconnect(reason, given)


def _will(reader: Reader, flags: int, version: int) -> Will | None:
    qos, retain = flags >> 3 & 0x03, bool(flags & 0x20)
    if not flags & 0x04:
        if qos or retain:
            raise PacketError("CONNECT describes a will it does not have")
        return None
    if qos > _MAX_QOS:
        raise PacketError("QoS 3 does not exist")
    given = properties.read(reader, properties.IN_WILL) if version == V5 else NONE
    topic = reader.text()
    return Will(topic, reader.binary(), qos, retain, given)


def _packet_id(reader: Reader) -> int:
    packet_id = reader.two_bytes()
    if not packet_id:
        raise PacketError("the packet identifier is zero", Reason.PROTOCOL_ERROR)
    return packet_id
