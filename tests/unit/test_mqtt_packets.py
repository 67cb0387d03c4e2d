"""
Bytes to packets and back: both versions, whole and broken.
"""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.local.mqtt import decoding, encoding, properties, wire
from firstlight.local.mqtt.framing import Frames
from firstlight.local.mqtt.packets import V5, V311, Connect, Disconnect, PubAck, Publish, Request, Subscribe, Will
from firstlight.local.mqtt.properties import Property
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.wire import PacketError, Reader
from tests.mqtt_device import block, packet, sized, text
from tests.mqtt_switchboard import connect_packet

LIMIT = 10_000


def body_of(whole: bytes) -> tuple[int, bytes]:
    ((header, body),) = Frames(LIMIT).split(whole)
    return header, body


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(1, 400), max_size=20))
def test_packets_come_whole_however_the_bytes_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    """
    TCP keeps no packet borders.
    """
    stream = b"".join(packet(0x30, body) for body in bodies)
    frames, found = Frames(LIMIT), []
    for cut in [*cuts, len(stream)]:
        found += frames.split(stream[:cut])
        stream = stream[cut:]

    assert [(0x30, body) for body in bodies] == found


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x01"])
def test_a_length_of_more_than_four_bytes(length: bytes) -> None:
    """
    No client says so by accident.
    """
    with pytest.raises(PacketError, match="longer than four bytes"):
        Frames(LIMIT).split(b"\x30" + length)


def test_a_packet_that_is_to_be_too_large_is_refused_before_it_comes() -> None:
    """
    Its length alone ends it, so no client fills the memory.
    """
    with pytest.raises(PacketError) as refused:
        Frames(LIMIT).split(b"\x30" + wire.variable(LIMIT + 1))

    assert Reason.PACKET_TOO_LARGE is refused.value.reason


@given(st.integers(0, 268_435_455))
def test_variable_byte_integers(value: int) -> None:
    """
    Written and read back, in at most four bytes.
    """
    written = wire.variable(value)

    assert (value, True) == (Reader(written).variable(), len(written) <= 4)


def test_connect_of_311() -> None:
    """
    Will, user name and password and all.
    """
    body = text("MQTT") + b"\x04\xee\x00\x3c" + text("c") + text("w/t") + sized(b"gone") + text("u") + sized(b"p")
    expected = Connect(V311, "c", True, 60, "u", b"p", Will("w/t", b"gone", 1, True, {}))  # noqa: FBT003 -- a value

    assert expected == decoding.connect(0x10, body)


def test_connect_of_5() -> None:
    """
    Properties of its own and of its will.
    """
    own = b"\x11\x00\x00\x00\x0a\x21\x00\x05\x26" + text("k") + text("v")
    will = b"\x18\x00\x00\x00\x01"
    body = text("MQTT") + b"\x05\x04\x00\x0a" + block(own) + text("c") + block(will) + text("w") + sized(b"x")
    connect = decoding.connect(0x10, body)

    assert {
        Property.SESSION_EXPIRY: 10,
        Property.RECEIVE_MAXIMUM: 5,
        Property.USER_PROPERTY: [("k", "v")],
    } == connect.properties
    assert Will("w", b"x", 0, False, {Property.WILL_DELAY: 1}) == connect.will  # noqa: FBT003 -- a value


BROKEN_CONNECTS = [
    (0x30, b"", Reason.PROTOCOL_ERROR),
    (0x11, text("MQTT") + b"\x04\x02\x00\x00" + text("c"), Reason.PROTOCOL_ERROR),
    (0x10, b"", Reason.MALFORMED_PACKET),
    (0x10, text("MQIsdp") + b"\x03\x02\x00\x00" + text("c"), Reason.UNSUPPORTED_VERSION),
    (0x10, text("MQTT") + b"\x06\x02\x00\x00" + text("c"), Reason.UNSUPPORTED_VERSION),
    (0x10, text("MQTT") + b"\x04\x03\x00\x00" + text("c"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x02\x00\x00" + text("c") + b"more", Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x02\x00\x00" + sized(b"\xff"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x02\x00\x00" + sized(b"a\x00b"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x42\x00\x00" + text("c") + sized(b"p"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x1a\x00\x00" + text("c"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x04\x1e\x00\x00" + text("c") + text("w") + sized(b""), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x05\x02\x00\x00" + block(b"\x23\x00\x01") + text("c"), Reason.MALFORMED_PACKET),
    (0x10, text("MQTT") + b"\x05\x02\x00\x00" + block(b"\x21\x00\x01" * 2) + text("c"), Reason.PROTOCOL_ERROR),
    (0x10, text("MQTT") + b"\x05\x02\x00\x00" + block(b"\x21\x00\x00") + text("c"), Reason.PROTOCOL_ERROR),
]


@pytest.mark.parametrize(("header", "body", "reason"), BROKEN_CONNECTS)
def test_broken_connects(header: int, body: bytes, reason: Reason) -> None:
    """
    Each with the reason MQTT 5 has for it.
    """
    with pytest.raises(PacketError) as refused:
        decoding.connect(header, body)

    assert reason is refused.value.reason


def test_publish() -> None:
    """
    In both versions, with and without an identifier.
    """
    message = Publish("a/b", b"payload", 1, False, 9)  # noqa: FBT003 -- a value

    assert message == decoding.packet(0x32, text("a/b") + b"\x00\x09payload", V311)
    assert message == decoding.packet(0x32, text("a/b") + b"\x00\x09\x00payload", V5)
    assert Publish("a", b"", 0, True) == decoding.packet(0x31, text("a"), V311)  # noqa: FBT003 -- a value


def test_subscribe() -> None:
    """
    The options of 5, and the QoS of 3.1.1.
    """
    new = decoding.packet(0x82, b"\x00\x01\x00" + text("a/#") + b"\x2d", V5)
    old = decoding.packet(0x82, b"\x00\x01" + text("a") + b"\x01" + text("b") + b"\x00", V311)

    assert Subscribe(1, (Request("a/#", 1, True, True, 2),), {}) == new  # noqa: FBT003 -- a value
    assert Subscribe(1, (Request("a", 1), Request("b", 0))) == old


def test_short_acknowledgements_and_goodbyes() -> None:
    """
    MQTT 5 lets the end of these packets be left out.
    """
    assert PubAck(7) == decoding.packet(0x40, b"\x00\x07", V5)
    assert PubAck(7) == decoding.packet(0x40, b"\x00\x07\x10", V5)
    assert PubAck(7) == decoding.packet(0x40, b"\x00\x07\x00\x00", V5)
    assert Disconnect() == decoding.packet(0xE0, b"", V5)
    assert Disconnect(4, {}) == decoding.packet(0xE0, b"\x04", V5)
    assert Disconnect(0, {Property.SESSION_EXPIRY: 1}) == decoding.packet(0xE0, b"\x00\x05\x11\x00\x00\x00\x01", V5)


BROKEN_PACKETS = [
    (0x36, text("a") + b"\x00\x01\x00"),
    (0x32, text("a") + b"\x00\x00\x00"),
    (0x32, text("a") + b"\x00"),
    (0x30, b""),
    (0x30, b"\x00"),
    (0x30, b"\x00\x05abc"),
    (0x30, sized(b"\xc3") + b"\x00"),
    (0x30, text("a") + b"\x05"),
    (0x30, text("a") + block(b"\x7f")),
    (0x41, b"\x00\x01"),
    (0x40, b"\x00"),
    (0x40, b"\x00\x00"),
    (0x80, b"\x00\x01\x00" + text("a") + b"\x00"),
    (0x82, b"\x00\x00\x00" + text("a") + b"\x00"),
    (0x82, b"\x00\x01\x00"),
    (0x82, b"\x00\x01\x00" + text("a")),
    (0x82, b"\x00\x01\x00" + text("a") + b"\x03"),
    (0x82, b"\x00\x01\x00" + text("a") + b"\x30"),
    (0x82, b"\x00\x01\x00" + text("a") + b"\x40"),
    (0xA2, b"\x00\x01\x00"),
    (0xA0, b"\x00\x01\x00" + text("a")),
    (0xC0, b"x"),
    (0xE0, b"\x00\x00x"),
    (0x10, b""),
    (0x20, b"\x00\x00"),
    (0x50, b"\x00\x01"),
    (0xF0, b"\x18\x00"),
    (0x00, b""),
]


@pytest.mark.parametrize(("header", "body"), BROKEN_PACKETS)
def test_broken_packets(header: int, body: bytes) -> None:
    """
    Everything a client must not send ends in a PacketError.
    """
    with pytest.raises(PacketError):
        decoding.packet(header, body, V5)


@given(st.integers(0, 255), st.binary(max_size=60), st.sampled_from([V311, V5]))
def test_any_bytes_are_a_packet_or_an_error(header: int, body: bytes, version: int) -> None:
    """
    Never another exception.
    """
    with contextlib.suppress(PacketError):
        decoding.packet(header, body, version)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\x00\x04MQTT\x04", b"\x00\x04MQTT\x05"]))
def test_any_bytes_are_a_connect_or_an_error(body: bytes, start: bytes) -> None:
    """
    Also those that begin as one.
    """
    with contextlib.suppress(PacketError):
        decoding.connect(0x10, start + body)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            Property.PAYLOAD_FORMAT: st.integers(0, 1),
            Property.MESSAGE_EXPIRY: st.integers(0, 2**32 - 1),
            Property.CONTENT_TYPE: TEXT,
            Property.RESPONSE_TOPIC: TEXT,
            Property.CORRELATION_DATA: st.binary(max_size=20),
            Property.USER_PROPERTY: st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3),
        },
    )
)
def test_properties_are_read_as_they_were_written(given_properties: dict[Property, object]) -> None:
    """
    What a publisher says is what its subscribers are told.
    """
    reader = Reader(properties.written(given_properties))

    assert given_properties == properties.read(reader, properties.IN_PUBLISH)


@given(TEXT, st.binary(max_size=300), st.integers(1, 65_535), st.sampled_from([V311, V5]))
def test_a_numbered_message_is_what_was_published(topic: str, payload: bytes, packet_id: int, version: int) -> None:
    """
    Encoded once for all subscribers, numbered for each.
    """
    encoded = topic.encode()
    message = encoding.publish(version, encoded, payload, qos=1)
    header, body = body_of(encoding.numbered(message, len(encoded), packet_id))

    assert Publish(topic, payload, 1, False, packet_id) == decoding.packet(header, body, version)  # noqa: FBT003


def test_what_311_cannot_say_is_not_said() -> None:
    """
    No DISCONNECT from the server, and three reasons in CONNACK.
    """
    assert b"" == encoding.disconnect(V311, Reason.NOT_AUTHORIZED)
    assert b"" == encoding.refusal(V311, Reason.MALFORMED_PACKET)
    assert b"\x20\x02\x00\x05" == encoding.refusal(V311, Reason.NOT_AUTHORIZED)
    assert b"\x90\x04\x00\x01\x01\x80" == encoding.suback(V311, 1, [Reason.GRANTED_QOS_1, Reason.NOT_AUTHORIZED])


def test_the_tests_own_connect_is_one() -> None:
    """
    The client of these tests speaks MQTT.
    """
    header, body = body_of(connect_packet("c", version=V311, will=("w", b"x")))

    assert "c" == decoding.connect(header, body).client_id
