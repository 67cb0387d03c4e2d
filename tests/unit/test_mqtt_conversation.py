"""
Conversations: what a client is answered, in 3.1.1 and in 5, and that nobody can spoil another's.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.local.mqtt import Dialect, Message, Reason, Refusal
from tests.mqtt_device import V5, V311, block, packet, text
from tests.mqtt_switchboard import Anybody, OpenCloud, Switchboard, connect_packet, settled

VERSIONS = pytest.mark.parametrize("version", [V311, V5])
PING, PONG = b"\xc0\x00", (0xD0, b"")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


@VERSIONS
def test_a_message_reaches_its_subscribers(version: int) -> None:
    """
    Whichever versions the two of them speak.
    """

    async def test() -> None:
        board = Switchboard()
        one, other = await board.connected("one", version=version), await board.connected("other", version=V311)
        other.subscribe("a/+")
        one.publish("a/b", b"hello")
        one.publish("b", b"not this")
        assert [("a/b", b"hello")] == other.messages()

    run(test())


@VERSIONS
def test_qos_1_is_acknowledged_to_the_publisher(version: int) -> None:
    """
    Also when nobody subscribes, as AWS IoT does.
    """

    async def test() -> None:
        phone = await Switchboard().connected(version=version)
        phone.publish("a", qos=1)
        assert [(0x40, b"\x00\x09")] == phone.heard()

    run(test())


def test_qos_1_reaches_a_subscriber_that_wants_it() -> None:
    """
    With an identifier of the server's own; a subscription with QoS 0 gets QoS 0.
    """

    async def test() -> None:
        board = Switchboard()
        sure, loose, publisher = [await board.connected(c) for c in "abc"]
        sure.subscribe("t", qos=1)
        loose.subscribe("t", qos=0)
        sure.heard(), loose.heard()
        publisher.publish("t", b"x", qos=1)
        publisher.publish("t", b"y", qos=0)
        assert [(0x32, text("t") + b"\x00\x01\x00x"), (0x30, text("t") + b"\x00y")] == sure.heard()
        assert [(0x30, text("t") + b"\x00x"), (0x30, text("t") + b"\x00y")] == loose.heard()

    run(test())


def test_properties_travel_with_a_message() -> None:
    """
    Of MQTT 5, those that are meant for the subscriber; 3.1.1 gets the payload.
    """

    async def test() -> None:
        board = Switchboard()
        new, old, publisher = (
            await board.connected("n"),
            await board.connected("o", version=V311),
            await board.connected(),
        )
        new.subscribe("t")
        old.subscribe("t")
        new.heard(), old.heard()
        told = b"\x03" + text("json") + b"\x26" + text("k") + text("v")
        publisher.say(packet(0x30, text("t") + block(told) + b"{}"))
        assert [(0x30, text("t") + block(told) + b"{}")] == new.heard()
        assert [(0x30, text("t") + b"{}")] == old.heard()

    run(test())


def test_overlapping_subscriptions_bring_one_copy() -> None:
    """
    With the highest QoS of them.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected()
        phone.subscribe("t", "#", qos=0)
        phone.subscribe("+", qos=1)
        phone.heard()
        phone.publish("t", qos=1)
        assert [0x32, 0x40] == [header for header, _ in phone.heard()]

    run(test())


def test_no_local() -> None:
    """
    A client can ask not to hear itself.
    """

    async def test() -> None:
        board = Switchboard()
        one, other = await board.connected("one"), await board.connected("other")
        one.subscribe("t", options=0x04)
        one.publish("t", b"mine")
        other.publish("t", b"yours")
        assert [("t", b"yours")] == one.messages()

    run(test())


@VERSIONS
def test_unsubscribing(version: int) -> None:
    """
    Says for each filter whether there was such a subscription, where the version can.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected(version=version)
        phone.subscribe("t")
        phone.heard()
        properties = block() if version == V5 else b""
        phone.say(packet(0xA2, b"\x00\x08" + properties + text("t") + text("u")))
        assert [(0xB0, b"\x00\x08" + (b"\x00\x00\x11" if version == V5 else b""))] == phone.heard()
        phone.publish("t")
        assert [] == phone.heard()

    run(test())


FORBIDDEN = frozenset({"secret", "secret/#"})


def test_a_forbidden_message_in_5() -> None:
    """
    QoS 1 is refused in PUBACK and the connection stays; QoS 0 ends it, for there is no other way to say so.
    """

    async def test() -> None:
        phone = await Switchboard(OpenCloud(forbidden=FORBIDDEN)).connected()
        phone.publish("secret", qos=1)
        assert [(0x40, b"\x00\x09\x87")] == phone.heard()
        assert not phone.hung_up
        phone.publish("secret", qos=0)
        assert ([(0xE0, b"\x87\x00")], True) == (phone.heard(), phone.hung_up)

    run(test())


@pytest.mark.parametrize("qos", [0, 1])
def test_a_forbidden_message_in_311(qos: int) -> None:
    """
    The connection closes, without a word.
    """

    async def test() -> None:
        phone = await Switchboard(OpenCloud(forbidden=FORBIDDEN)).connected(version=V311)
        phone.publish("secret", qos=qos)
        assert ([], True) == (phone.heard(), phone.hung_up)

    run(test())


@pytest.mark.parametrize(("version", "codes"), [(V5, b"\x00\x01\x87\x01"), (V311, b"\x01\x80\x01")])
def test_a_forbidden_subscription(version: int, codes: bytes) -> None:
    """
    Is refused by itself; the others of the same packet hold.
    """

    async def test() -> None:
        phone = await Switchboard(OpenCloud(forbidden=FORBIDDEN)).connected(version=version)
        phone.subscribe("a", "secret/#", "b", qos=1)
        assert [(0x90, b"\x00\x07" + codes)] == phone.heard()

    run(test())


def test_what_a_client_may_not_receive_is_not_delivered() -> None:
    """
    Subscribed as it is.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(forbidden=frozenset({"receive a"})))
        phone = await board.connected()
        phone.subscribe("#", qos=1)
        phone.publish("a")
        phone.publish("b")
        assert [("b", b"x")] == phone.messages()

    run(test())


def test_what_the_cloud_keeps_reaches_nobody() -> None:
    """
    A message that is for the cloud itself.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(kept={"rules"}))
        phone = await board.connected()
        phone.subscribe("#")
        phone.publish("rules", qos=1)
        assert [] == phone.messages()

    run(test())


def test_the_cloud_publishes_to_everybody_or_to_one() -> None:
    """
    Topics that name no device are for one client all the same.
    """

    async def test() -> None:
        board = Switchboard()
        one, other = await board.connected("one"), await board.connected("other")
        for phone in (one, other):
            phone.subscribe("$cloud/#")
        board.router.publish(Message("$cloud/all", b"1"))
        board.router.publish(Message("$cloud/one", b"2"), only="one")
        assert ([("$cloud/all", b"1"), ("$cloud/one", b"2")], [("$cloud/all", b"1")]) == (
            one.messages(),
            other.messages(),
        )

    run(test())


@pytest.mark.parametrize(
    ("refusal", "version", "heard"),
    [
        (Refusal("no", Reason.NOT_AUTHORIZED), V5, [(0x20, b"\x00\x87\x00")]),
        (Refusal("no", Reason.NOT_AUTHORIZED), V311, [(0x20, b"\x00\x05")]),
        (Refusal("no"), V5, []),
    ],
)
def test_a_refused_client(refusal: Refusal, version: int, heard: list[tuple[int, bytes]]) -> None:
    """
    Is told what the cloud wants it to be told, and the journal has the reason.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(refusals={"c": refusal}))
        phone = await board.called(version=version)
        assert heard == ([phone.first] if phone.first[0] else [])
        assert phone.hung_up
        assert ("refused", "c", "no") == (board.journal[-1].what, board.journal[-1].client_id, board.journal[-1].why)

    run(test())


def test_a_mistake_of_the_cloud_closes_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """
    And is in the log, with its traceback.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(refusals={"c": ZeroDivisionError("oops")}))
        phone = await board.called()
        assert phone.hung_up
        assert "the decision failed: ZeroDivisionError" == board.journal[-1].why
        await board.connected("other")

    run(test())
    assert "oops" in caplog.text


def test_packets_behind_connect_wait_for_the_decision() -> None:
    """
    The client need not wait for CONNACK (section 3.1.4).
    """

    async def test() -> None:
        board = Switchboard()
        phone = board.phone(V311)
        phone.say(connect_packet("c", version=V311) + packet(0x82, b"\x00\x01" + text("t") + b"\x00"))
        assert not phone.attentive
        phone.say(PING)
        assert [] == phone.heard()
        await settled()
        assert [(0x20, b"\x00\x00"), (0x90, b"\x00\x01\x00"), PONG] == phone.heard()
        assert phone.attentive

    run(test())


@VERSIONS
def test_the_same_client_identifier_takes_over(version: int) -> None:
    """
    The old connection is closed, and told why where that can be said.
    """

    async def test() -> None:
        board = Switchboard()
        old = await board.connected("c", version=version)
        new = await board.connected("c", version=version)
        assert old.hung_up
        assert ([(0xE0, b"\x8e\x00")] if version == V5 else []) == old.heard()
        new.say(PING)
        assert [PONG] == new.heard()

    run(test())


def test_a_session_that_was_kept() -> None:
    """
    Brings its subscriptions and what came with QoS 1 meanwhile; a clean start forgets it.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected("c", version=V311, clean=False)
        phone.subscribe("t", qos=1)
        phone.conversation.lost()
        other = await board.connected("other")
        other.publish("t", b"later", qos=1)
        other.publish("t", b"lost", qos=0)
        back = await board.connected("c", version=V311, clean=False)
        assert (1, [("t", b"later")]) == (back.first[1][0], back.messages())
        back.conversation.lost()
        clean = await board.connected("c", version=V311)
        other.publish("t", b"x", qos=1)
        assert (0, []) == (clean.first[1][0], clean.messages())

    run(test())


def test_what_was_not_acknowledged_comes_again() -> None:
    """
    With the same identifier and the DUP flag, after a reconnect.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected("c", clean=False, properties=b"\x11\x00\x00\x00\x3c")
        phone.subscribe("t", qos=1)
        phone.heard()
        for payload in (b"1", b"2"):
            phone.publish("t", payload, qos=1)
        phone.say(packet(0x40, b"\x00\x01"))
        phone.conversation.lost()
        back = await board.connected("c", clean=False)
        assert [(0x3A, text("t") + b"\x00\x02\x002")] == back.heard()

    run(test())


@pytest.mark.parametrize(("after", "present"), [(59, 1), (61, 0)])
def test_a_session_expires(after: int, present: int) -> None:
    """
    As long after its connection as the client asked for.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected("c", properties=b"\x11\x00\x00\x00\x3c")
        phone.say(b"\xe0\x00")
        board.now = after
        board.router.expire()
        back = await board.connected("c", clean=False)
        assert present == back.first[1][0]

    run(test())


def test_a_session_can_be_given_up_in_the_end() -> None:
    """
    DISCONNECT may shorten its life.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected("c", properties=b"\x11\x00\x00\x00\x3c")
        phone.say(packet(0xE0, b"\x00" + block(b"\x11\x00\x00\x00\x00")))
        back = await board.connected("c", clean=False)
        assert 0 == back.first[1][0]

    run(test())


def test_no_more_in_flight_than_agreed() -> None:
    """
    The rest waits for acknowledgements, and what does not fit the queue is dropped.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(max_queued=2)))
        phone = await board.connected("c", properties=b"\x21\x00\x02")
        phone.subscribe("t", qos=1)
        publisher = await board.connected("p")
        for payload in (b"1", b"2", b"3", b"4", b"5"):
            publisher.publish("t", payload, qos=1)
        assert [b"1", b"2"] == [payload for _, payload in phone.messages()]
        phone.say(packet(0x40, b"\x00\x01") + packet(0x40, b"\x00\x02"))
        assert [b"3", b"4"] == [payload for _, payload in phone.messages()]

    run(test())


def test_a_slow_client_costs_bounded_memory() -> None:
    """
    While its wire is congested QoS 0 is dropped and QoS 1 waits.
    """

    async def test() -> None:
        board = Switchboard()
        phone, publisher = await board.connected("c"), await board.connected("p")
        phone.subscribe("t", qos=1)
        phone.congested = True
        publisher.publish("t", b"dropped", qos=0)
        publisher.publish("t", b"waits", qos=1)
        assert [] == phone.messages()
        phone.congested = False
        phone.conversation.relieved()
        assert [("t", b"waits")] == phone.messages()

    run(test())


def test_nothing_larger_than_the_client_takes() -> None:
    """
    Maximum Packet Size holds for what the server sends.
    """

    async def test() -> None:
        board = Switchboard()
        phone = await board.connected("c", properties=b"\x27\x00\x00\x00\x20")
        phone.subscribe("t", qos=1)
        for qos in (0, 1):
            phone.publish("t", b"x" * 40, qos=qos)
            phone.publish("t", b"small", qos=qos)
        assert [("t", b"small")] * 2 == phone.messages()

    run(test())


def test_a_will() -> None:
    """
    Comes when the client is lost, not when it says goodbye, unless it asks for it.
    """

    async def test() -> None:
        board = Switchboard()
        watcher = await board.connected("w")
        watcher.subscribe("gone")
        for goodbye in (b"\xe0\x00", b"\xe0\x01\x04", None):
            phone = await board.connected("c", will=("gone", b"%r" % goodbye))
            if goodbye:
                phone.say(goodbye)
            else:
                phone.conversation.lost()
        assert [("gone", b"%r" % b"\xe0\x01\x04"), ("gone", b"None")] == watcher.messages()

    run(test())


def test_a_will_that_its_policy_no_longer_allows_is_not_published() -> None:
    """
    The policy of the moment of death counts, not the one of CONNECT.
    """

    async def test() -> None:
        board = Switchboard()
        watcher = await board.connected("w")
        watcher.subscribe("gone")
        allowed, forbidden = [await board.connected(c, will=("gone", c.encode())) for c in ("allowed", "forbidden")]
        client = forbidden.conversation.client
        assert isinstance(client, Anybody)
        client.forbidden = frozenset({"gone"})
        forbidden.conversation.lost()
        allowed.conversation.lost()
        assert [("gone", b"allowed")] == watcher.messages()

    run(test())


def test_retained_messages() -> None:
    """
    Come to who subscribes later, marked; an empty one ends it.
    """

    async def test() -> None:
        board = Switchboard()
        publisher = await board.connected("p")
        publisher.publish("t", b"last", retain=True)
        early = await board.connected("early")
        early.subscribe("t")
        assert (0x31, text("t") + b"\x00last") in early.heard()
        publisher.publish("t", b"new", retain=True)
        assert [(0x30, text("t") + b"\x00new")] == early.heard()
        publisher.publish("t", b"", retain=True)
        late = await board.connected("late")
        late.subscribe("t")
        assert [] == late.messages()

    run(test())


@pytest.mark.parametrize("wildcards", [True, False])
def test_retained_messages_and_wildcards(*, wildcards: bool) -> None:
    """
    AWS IoT sends them only to who subscribes to the exact topic.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(retained_meet_wildcards=wildcards)))
        phone = await board.connected()
        phone.publish("a/b", b"last", retain=True)
        phone.subscribe("a/#")
        assert ([("a/b", b"last")] if wildcards else []) == phone.messages()

    run(test())


@pytest.mark.parametrize(("handling", "first", "second"), [(0x00, 1, 1), (0x10, 1, 0), (0x20, 0, 0)])
def test_retain_handling(handling: int, first: int, second: int) -> None:
    """
    A client chooses when retained messages come.
    """

    async def test() -> None:
        phone = await Switchboard().connected()
        phone.publish("t", b"last", retain=True)
        phone.subscribe("t", options=handling)
        assert first == len(phone.messages())
        phone.subscribe("t", options=handling)
        assert second == len(phone.messages())

    run(test())


def test_topic_aliases() -> None:
    """
    Hold for the connection; one that stands for nothing ends it.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(topic_aliases=2)))
        phone = await board.connected()
        phone.subscribe("long/topic")
        phone.say(packet(0x30, text("long/topic") + block(b"\x23\x00\x01") + b"1"))
        phone.say(packet(0x30, text("") + block(b"\x23\x00\x01") + b"2"))
        assert [("long/topic", b"1"), ("long/topic", b"2")] == phone.messages()
        phone.say(packet(0x30, text("") + block(b"\x23\x00\x02") + b"3"))
        assert [(0xE0, b"\x82\x00")] == phone.heard()

    run(test())


ENDINGS = [
    ("QoS 2", packet(0x34, text("t") + b"\x00\x01\x00"), 0x9B),
    ("wildcard in a topic", packet(0x30, text("a/+") + b"\x00"), 0x90),
    ("empty topic", packet(0x30, text("") + b"\x00"), 0x90),
    ("too many levels", packet(0x30, text("/" * 300) + b"\x00"), 0x90),
    ("alias out of range", packet(0x30, text("t") + block(b"\x23\x00\x09")), 0x94),
    ("payload too large", packet(0x30, text("t") + b"\x00" + b"x" * 1001), 0x95),
    ("packet too large", packet(0x30, text("t") + b"\x00" + b"x" * 3001), 0x95),
    ("too many filters", packet(0x82, b"\x00\x01\x00" + (text("t") + b"\x00") * 65), 0x97),
    ("subscription identifier", packet(0x82, b"\x00\x01" + block(b"\x0b\x01") + text("t") + b"\x00"), 0xA1),
    ("second CONNECT", connect_packet("c"), 0x81),
    ("rubbish", b"\xff\x00", 0x81),
]


@pytest.mark.parametrize(("said", "reason"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS])
def test_what_ends_a_conversation(said: bytes, reason: int) -> None:
    """
    MQTT 5 is told the reason; the others do not notice.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(max_packet=3000, max_payload=1000, topic_aliases=8)))
        phone, other = await board.connected("c"), await board.connected("other")
        phone.say(said)
        assert ([(0xE0, bytes((reason, 0)))], True) == (phone.heard(), phone.hung_up)
        other.say(PING)
        assert [PONG] == other.heard()

    run(test())


def test_qos_2_subscriptions() -> None:
    """
    MQTT 5 is granted QoS 1, as CONNACK announced; 3.1.1 gets no SUBACK where the cloud gives none.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(refuses_qos_2_subscription=True)))
        new, old = await board.connected("new"), await board.connected("old", version=V311)
        new.subscribe("t", qos=2)
        old.subscribe("t", qos=2)
        assert ([(0x90, b"\x00\x07\x00\x01")], []) == (new.heard(), old.heard())
        assert (False, True) == (new.hung_up, old.hung_up)

    run(test())


def test_filters_that_are_none() -> None:
    """
    Refused by themselves, shared subscriptions among them.
    """

    async def test() -> None:
        phone = await Switchboard(OpenCloud(dialect=Dialect(max_subscriptions=1))).connected()
        phone.subscribe("a#", "$share/g/t", "/" * 200, "ok", "one/too/many")
        assert [(0x90, b"\x00\x07\x00\x8f\x9e\x8f\x00\x97")] == phone.heard()

    run(test())


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", []),
        (connect_packet("c", version=6), [(0x20, b"\x00\x01")]),
        (connect_packet("", version=V311, clean=False), [(0x20, b"\x00\x02")]),
        (connect_packet("c" * 129), [(0x20, b"\x00\x85\x00")]),
        (connect_packet("c", properties=b"\x15" + text("SCRAM")), [(0x20, b"\x00\x8c\x00")]),
        (
            packet(0x10, connect_packet("c")[2:].replace(b"\x05\x02", b"\x05\x16") + block() + text("w") + text("x")),
            [(0x20, b"\x00\x9b\x00")],
        ),
    ],
)
def test_a_connect_that_ends_at_once(said: bytes, heard: list[tuple[int, bytes]]) -> None:
    """
    With an answer if one is possible.
    """

    async def test() -> None:
        board = Switchboard(OpenCloud(dialect=Dialect(max_client_id=128)))
        phone = board.phone()
        phone.say(said)
        await settled()
        assert (heard, True) == (phone.heard(), phone.hung_up)

    run(test())


def test_connack_says_what_is_granted() -> None:
    """
    An identifier for who has none, the session's life and the keep-alive if they differ from what was asked.
    """

    async def test() -> None:
        dialect = Dialect(keep_alive=(30, 1200), session_expiry=3600, max_packet=4096, max_in_flight=9, topic_aliases=3)
        phone = await Switchboard(OpenCloud(dialect=dialect)).connected(
            "", keep_alive=5, properties=b"\x11\xff\xff\xff\xff"
        )
        told = phone.first[1][2:]
        for expected in (
            b"\x21\x00\x09",
            b"\x24\x01",
            b"\x27\x00\x00\x10\x00",
            b"\x22\x00\x03",
            b"\x13\x00\x1e",
            b"\x11\x00\x00\x0e\x10",
            b"\x12\x00\x20",
        ):
            assert expected in told
        assert 45 == phone.conversation.silence_allowed

    run(test())


SAID = st.lists(
    st.binary(max_size=40)
    | st.builds(packet, st.integers(0, 255), st.binary(max_size=40))
    | st.builds(lambda t, b: packet(0x32, text(t) + b"\x00\x01\x00" + b), st.text(max_size=5), st.binary(max_size=9))
    | st.builds(
        lambda f, o: packet(0x82, b"\x00\x01\x00" + text(f) + bytes((o,))), st.text(max_size=5), st.integers(0, 255)
    ),
    max_size=8,
)


@given(SAID, st.booleans())
@settings(max_examples=60)
def test_whatever_a_client_says_others_go_on(said: list[bytes], connects: bool) -> None:  # noqa: FBT001 -- hypothesis'
    """
    No bytes raise, and none reach further than this conversation.
    """

    async def test() -> None:
        board = Switchboard()
        other, witness = await board.connected("other"), await board.connected("witness")
        witness.subscribe("safe/#", qos=1)
        witness.heard()
        phone = await board.connected("c") if connects else board.phone()
        for data in said:
            phone.say(data)
            await settled()
        phone.conversation.lost()
        other.publish("safe/x", b"still here")
        assert ("safe/x", b"still here") in witness.messages()

    run(test())
