"""
Packets to a client, in its version's bytes.
"""

from collections.abc import Sequence

from firstlight.local.mqtt import properties, wire
from firstlight.local.mqtt.packets import V5, V311, Kind
from firstlight.local.mqtt.properties import NONE, Properties
from firstlight.local.mqtt.reasons import RETURN_CODES_311, SUBACK_FAILURE_311, Reason

PINGRESP = bytes((Kind.PINGRESP << 4, 0))
_FAILURE = 0x80


def connack(version: int, *, session_present: bool, given: Properties) -> bytes:
    """
    The client is in (section 3.2).
    """
    body = bytes((session_present, Reason.SUCCESS))
    return wire.packet(Kind.CONNACK << 4, body + (properties.written(given) if version == V5 else b""))


def refusal(version: int, reason: Reason) -> bytes:
    """
    The client is not in; empty when its version has no word for *reason*.
    """
    if version == V5:
        return wire.packet(Kind.CONNACK << 4, bytes((0, reason, 0)))
    code = RETURN_CODES_311.get(reason)
    return b"" if code is None else wire.packet(Kind.CONNACK << 4, bytes((0, code)))


def publish(
    version: int, topic: bytes, payload: bytes, *, qos: int = 0, retain: bool = False, given: Properties = NONE
) -> bytes:
    """
    A message, with packet identifier 0 where there is one: `numbered` puts in the real one.
    """
    head = len(topic).to_bytes(2, "big") + topic + (b"\x00\x00" if qos else b"")
    block = properties.written(given) if version == V5 else b""
    return wire.packet(Kind.PUBLISH << 4 | qos << 1 | retain, head + block + payload)


def numbered(message: bytes, topic_length: int, packet_id: int, *, again: bool = False) -> bytes:
    """
    Return *message*, a `publish` with QoS 1 whose topic has *topic_length* bytes, with its packet identifier.
    """
    start = 1
    while message[start] & 0x80:
        start += 1
    at = start + 1 + 2 + topic_length
    first = message[0] | (0x08 if again else 0)
    return bytes((first,)) + message[1:at] + packet_id.to_bytes(2, "big") + message[at + 2 :]


def puback(version: int, packet_id: int, reason: Reason = Reason.SUCCESS) -> bytes:
    """
    The server has the message, or (5 only) will not.
    """
    if version == V311 or reason is Reason.SUCCESS:
        return bytes((Kind.PUBACK << 4, 2)) + packet_id.to_bytes(2, "big")
    return bytes((Kind.PUBACK << 4, 3)) + packet_id.to_bytes(2, "big") + bytes((reason,))


def suback(version: int, packet_id: int, reasons: Sequence[Reason]) -> bytes:
    """
    One reason for each topic filter asked for, in order.
    """
    identifier = packet_id.to_bytes(2, "big")
    if version == V5:
        return wire.packet(Kind.SUBACK << 4, identifier + b"\x00" + bytes(reasons))
    codes = bytes(reason if reason < _FAILURE else SUBACK_FAILURE_311 for reason in reasons)
    return wire.packet(Kind.SUBACK << 4, identifier + codes)


def unsuback(version: int, packet_id: int, reasons: Sequence[Reason]) -> bytes:
    """
    As `suback`; 3.1.1 has no reasons here.
    """
    body = packet_id.to_bytes(2, "big") + (b"\x00" + bytes(reasons) if version == V5 else b"")
    return wire.packet(Kind.UNSUBACK << 4, body)


def disconnect(version: int, reason: Reason) -> bytes:
    """
    The server ends the connection; a 3.1.1 server cannot say so, which makes this empty.
    """
    return wire.packet(Kind.DISCONNECT << 4, bytes((reason, 0))) if version == V5 else b""
