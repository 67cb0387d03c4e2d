"""
The properties of MQTT 5 (section 2.2.2): which there are, and their bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from firstlight.local.mqtt import wire
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.wire import PacketError, Reader


class Property(IntEnum):
    """
    The identifiers; their kinds are in `_KINDS`.
    """

    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_IDENTIFIER = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29
    SHARED_SUBSCRIPTION_AVAILABLE = 0x2A


# A property's value; USER_PROPERTY is a list of pairs, every other one is single.
Properties = Mapping[Property, Any]


class _Kind(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]


def _write_pair(pair: tuple[str, str]) -> bytes:
    return wire.text(pair[0]) + wire.text(pair[1])


_BYTE = _Kind(Reader.byte, lambda v: int(v).to_bytes(1, "big"))
_TWO = _Kind(Reader.two_bytes, lambda v: int(v).to_bytes(2, "big"))
_FOUR = _Kind(Reader.four_bytes, lambda v: int(v).to_bytes(4, "big"))
_VARIABLE = _Kind(Reader.variable, wire.variable)
_TEXT = _Kind(Reader.text, wire.text)
_BINARY = _Kind(Reader.binary, wire.binary)
_PAIR = _Kind(lambda r: (r.text(), r.text()), _write_pair)

_P = Property
_KINDS: dict[Property, _Kind] = (
    dict.fromkeys(
        (
            _P.PAYLOAD_FORMAT,
            _P.REQUEST_PROBLEM_INFORMATION,
            _P.REQUEST_RESPONSE_INFORMATION,
            _P.MAXIMUM_QOS,
            _P.RETAIN_AVAILABLE,
            _P.WILDCARD_SUBSCRIPTION_AVAILABLE,
            _P.SUBSCRIPTION_IDENTIFIER_AVAILABLE,
            _P.SHARED_SUBSCRIPTION_AVAILABLE,
        ),
        _BYTE,
    )
    | dict.fromkeys((_P.SERVER_KEEP_ALIVE, _P.RECEIVE_MAXIMUM, _P.TOPIC_ALIAS_MAXIMUM, _P.TOPIC_ALIAS), _TWO)
    | dict.fromkeys((_P.MESSAGE_EXPIRY, _P.SESSION_EXPIRY, _P.WILL_DELAY, _P.MAXIMUM_PACKET_SIZE), _FOUR)
    | dict.fromkeys((_P.CORRELATION_DATA, _P.AUTHENTICATION_DATA), _BINARY)
    | {_P.SUBSCRIPTION_IDENTIFIER: _VARIABLE, _P.USER_PROPERTY: _PAIR}
    | dict.fromkeys(
        (
            _P.CONTENT_TYPE,
            _P.RESPONSE_TOPIC,
            _P.ASSIGNED_CLIENT_ID,
            _P.AUTHENTICATION_METHOD,
            _P.RESPONSE_INFORMATION,
            _P.SERVER_REFERENCE,
            _P.REASON_STRING,
        ),
        _TEXT,
    )
)

# What a client may send, by packet.
_MESSAGE = {
    _P.PAYLOAD_FORMAT,
    _P.MESSAGE_EXPIRY,
    _P.CONTENT_TYPE,
    _P.RESPONSE_TOPIC,
    _P.CORRELATION_DATA,
    _P.USER_PROPERTY,
}
IN_CONNECT = frozenset(
    {
        _P.SESSION_EXPIRY,
        _P.AUTHENTICATION_METHOD,
        _P.AUTHENTICATION_DATA,
        _P.REQUEST_PROBLEM_INFORMATION,
        _P.REQUEST_RESPONSE_INFORMATION,
        _P.RECEIVE_MAXIMUM,
        _P.TOPIC_ALIAS_MAXIMUM,
        _P.USER_PROPERTY,
        _P.MAXIMUM_PACKET_SIZE,
    }
)
IN_WILL = frozenset(_MESSAGE | {_P.WILL_DELAY})
# no subscription identifier: that is the server's to send
IN_PUBLISH = frozenset(_MESSAGE | {_P.TOPIC_ALIAS})
IN_PUBACK = frozenset({_P.REASON_STRING, _P.USER_PROPERTY})
IN_SUBSCRIBE = frozenset({_P.SUBSCRIPTION_IDENTIFIER, _P.USER_PROPERTY})
IN_UNSUBSCRIBE = frozenset({_P.USER_PROPERTY})
IN_DISCONNECT = frozenset({_P.SESSION_EXPIRY, _P.SERVER_REFERENCE, _P.REASON_STRING, _P.USER_PROPERTY})
# What a subscriber is told of what the publisher said, as it was said (section 3.3.2.3).
FORWARDED = frozenset(_MESSAGE)

NONE: Properties = {}


def read(reader: Reader, allowed: frozenset[Property]) -> Properties:
    """
    Read a property block.

    Raises:
        PacketError: a property is unknown, not *allowed* in this packet, or twice in it.
    """
    length = reader.variable()
    if not length:
        return NONE
    block = reader.part(length)
    found: dict[Property, Any] = {}
    while not block.at_end:
        identifier = block.variable()
        if identifier not in allowed:
            raise PacketError(f"the property {identifier:#04x} does not belong into this packet")
        name = Property(identifier)
        value = _KINDS[name].read(block)
        if name is Property.USER_PROPERTY:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise PacketError(f"the property {identifier:#04x} is there twice", Reason.PROTOCOL_ERROR)
        else:
            found[name] = value
    return found


def written(properties: Properties) -> bytes:
    """
    Return *properties* as a block, with its length in front.
    """
    if not properties:
        return b"\x00"
    block = bytearray()
    for name, value in properties.items():
        values: Sequence[Any] = value if name is Property.USER_PROPERTY else (value,)
        for single in values:
            block.append(name)
            block += _KINDS[name].write(single)
    return wire.variable(len(block)) + bytes(block)
