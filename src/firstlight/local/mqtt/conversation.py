"""
One client's conversation in MQTT, from CONNECT to the end: packets in, packets out, no sockets.
"""

import asyncio
import logging
from typing import Protocol

from firstlight.local.mqtt import decoding, encoding
from firstlight.local.mqtt.cloud import Client, Cloud, Message, Refusal
from firstlight.local.mqtt.framing import Frames
from firstlight.local.mqtt.journal import Happening, Journal
from firstlight.local.mqtt.packets import (
    V5,
    V311,
    Disconnect,
    Kind,
    Packet,
    Ping,
    PubAck,
    Publish,
    Subscribe,
    Unsubscribe,
)
from firstlight.local.mqtt.publishing import TopicsSaid
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.router import Router
from firstlight.local.mqtt.session import Session
from firstlight.local.mqtt.subscribing import granted, revoked
from firstlight.local.mqtt.terms import Peer, Terms, forwarded
from firstlight.local.mqtt.wire import PacketError

_LOG = logging.getLogger("firstlight.mqtt")
_CONNECT = Kind.CONNECT << 4


class Wire(Protocol):
    """
    What carries the conversation.
    """

    @property
    def congested(self) -> bool:
        """
        Whether what was written is not leaving.
        """

    def write(self, packet: bytes) -> None:
        """
        Send *packet*, soon.
        """

    def listen(self, *, attentively: bool) -> None:
        """
        Go on handing over what the client sends, or leave it in the kernel.
        """

    def hang_up(self) -> None:
        """
        Send what was written, then close.
        """


class Conversation:
    """
    `received` takes the client's bytes, `lost` the news that it is gone; the rest is asked of the wire.
    """

    def __init__(self, wire: Wire, peer: Peer, *, cloud: Cloud, router: Router, journal: Journal) -> None:
        self._wire = wire
        self._peer = peer
        self._cloud = cloud
        self._router = router
        self._journal = journal
        self._dialect = cloud.dialect
        self._frames = Frames(self._dialect.max_packet)
        self._deciding: asyncio.Task[None] | None = None
        self._held: list[tuple[int, bytes]] = []
        self._topics = TopicsSaid(cloud.dialect)
        self._terms: Terms | None = None
        self._session: Session | None = None
        self._over = False
        self._goodbye = False
        self._fresh = True
        self.client: Client | None = None
        # a Line's attributes; `version` is of use before the terms are
        self.version = V311
        self.max_packet = 0

    @property
    def is_open(self) -> bool:
        return self.client is not None and not self._over

    @property
    def silence_allowed(self) -> float:
        """
        Seconds the client may be silent: one and a half times its keep-alive (section 3.1.2.10).
        """
        return self._terms.keep_alive * 1.5 if self._terms else 0.0

    @property
    def deciding(self) -> asyncio.Task[None] | None:
        """
        The decision at CONNECT, while it is under way.
        """
        return self._deciding

    def received(self, data: bytes) -> None:
        """
        Take what the client sent.  Whatever it is, it can end this conversation only.
        """
        if self._over:
            return
        if self._fresh and data:
            self._fresh = False
            if data[0] != _CONNECT:
                # before a length of another protocol makes us wait for what never comes
                self._finish("refused", "it does not speak MQTT")
                self._wire.hang_up()
                return
        try:
            packets = self._frames.split(data)
            if self._deciding is not None:
                self._held += packets
                return
            for at, (header, body) in enumerate(packets):
                if self._over:
                    return
                if self.client is None:
                    self._connect(header, body)
                    self._held = packets[at + 1 :]
                    return
                self._handle(decoding.packet(header, body, self.version))
        except PacketError as e:
            self.end(e.reason, str(e))

    def end(self, reason: Reason, why: str) -> None:
        """
        End it from this side and say so to a client that can be told.
        """
        if self._over:
            return
        if self.client is not None:
            self._wire.write(encoding.disconnect(self.version, reason))
        elif self._deciding is None and (told := encoding.refusal(self.version, reason)):
            self._wire.write(told)
        self._finish("ended" if self.client is not None else "refused", why)
        self._wire.hang_up()

    def lost(self, why: str = "the connection was lost") -> None:
        """
        The client is gone.
        """
        if not self._over:
            self._finish("ended", why)

    # What a session asks of its line.

    @property
    def congested(self) -> bool:
        return self._wire.congested

    def may_receive(self, topic: str) -> bool:
        return self.client is not None and self.client.may_receive(topic)

    def write(self, packet: bytes) -> None:
        self._wire.write(packet)

    def displaced(self) -> None:
        self.end(Reason.SESSION_TAKEN_OVER, "the same client identifier connected again")

    def relieved(self) -> None:
        """
        The wire is no longer congested.
        """
        if self._session is not None:
            self._session.pump()

    def _connect(self, header: int, body: bytes) -> None:
        try:
            connect = decoding.connect(header, body)
        except PacketError as e:
            if e.reason is Reason.UNSUPPORTED_VERSION:
                self.end(e.reason, str(e))
                return
            # nobody knows yet in which version to say more
            self._finish("refused", str(e))
            self._wire.hang_up()
            return
        if connect.version not in self._dialect.versions:
            self.end(Reason.UNSUPPORTED_VERSION, f"version {connect.version} of MQTT is not spoken here")
            return
        self.version = connect.version
        terms = Terms.of(connect, self._dialect)
        self._wire.listen(attentively=False)
        self._deciding = asyncio.get_running_loop().create_task(self._decide(terms))

    async def _decide(self, terms: Terms) -> None:
        try:
            decision = await self._cloud.admit(terms.hello(self._peer))
        except Exception as e:  # noqa: BLE001 -- a personality's mistake must not leave the client waiting for ever
            _LOG.exception("The decision about %r failed.", terms.connect.client_id)
            decision = Refusal(f"the decision failed: {type(e).__name__}")
        self._deciding = None
        if self._over:
            return
        if isinstance(decision, Refusal):
            if decision.reason is not None:
                self._wire.write(encoding.refusal(self.version, decision.reason))
            self._finish("refused", decision.why, client_id=terms.connect.client_id)
            self._wire.hang_up()
            return
        self._welcome(decision, terms)
        self._wire.listen(attentively=True)
        held, self._held = self._held, []
        try:
            for header, body in held:
                if not self._over:
                    self._handle(decoding.packet(header, body, self.version))
        except PacketError as e:
            self.end(e.reason, str(e))

    def _welcome(self, client: Client, terms: Terms) -> None:
        self.client, self._terms, self.max_packet = client, terms, terms.max_packet
        connect = terms.connect
        session, present = self._router.session(client.session, clean=connect.clean_start, expiry=terms.expiry)
        self._session = session
        self._wire.write(encoding.connack(self.version, session_present=present, given=terms.told(self._dialect)))
        self._journal(Happening("connected", connect.client_id, client.name))
        session.resume(self, terms.max_in_flight)
        self._cloud.arrived(client)

    def _handle(self, packet: Packet) -> None:
        match packet:
            case Publish():
                self._publish(packet)
            case PubAck() if self._session is not None:
                self._session.acknowledged(packet.packet_id)
            case Subscribe() if self._session is not None and self.client is not None:
                reasons = granted(packet, self.version, self.client, self._session, self._router)
                self._wire.write(encoding.suback(self.version, packet.packet_id, reasons))
            case Unsubscribe() if self._session is not None:
                reasons = revoked(packet, self._session, self._router)
                self._wire.write(encoding.unsuback(self.version, packet.packet_id, reasons))
            case Ping():
                self._wire.write(encoding.PINGRESP)
            case Disconnect():
                self._leave(packet)

    def _publish(self, packet: Publish) -> None:
        client = self.client
        if client is None:
            return
        topic = self._topics.of(packet)
        refusal = client.publish_refusal(topic, retain=packet.retain)
        if refusal:
            if self.version != V5 or not packet.qos:
                self.end(refusal, f"it may not publish to {topic!r}")
                return
            self._wire.write(encoding.puback(V5, packet.packet_id, refusal))
            return
        message = Message(topic, packet.payload, packet.qos, packet.retain, forwarded(packet.properties))
        if not self._cloud.published(client, message):
            self._router.publish(message, publisher=self._session)
        if packet.qos:
            self._wire.write(encoding.puback(self.version, packet.packet_id))

    def _leave(self, packet: Disconnect) -> None:
        if self._terms is not None and self._session is not None:
            self._terms = self._terms.shortened(packet.properties)
            self._session.expiry = self._terms.expiry
        self._goodbye = packet.reason != Reason.WITH_WILL
        self._finish("ended", "the client said goodbye")
        self._wire.hang_up()

    def _finish(self, what: str, why: str, *, client_id: str = "") -> None:
        self._over = True
        who = self.client.name if self.client else _certificate_of(self._peer)
        self._journal(Happening(what, client_id or (self._terms.connect.client_id if self._terms else ""), who, why))
        if self._session is None or self._terms is None:
            return
        self._router.leave(self._session, self)
        if self.client is None:
            return
        if self._terms.will and not self._goodbye:
            self._leave_will(self._terms.will, self.client)
        self._cloud.left(self.client)

    def _leave_will(self, will: Message, client: Client) -> None:
        # its policy may have changed since CONNECT
        if client.publish_refusal(will.topic, retain=will.retain) or self._cloud.published(client, will):
            return
        self._router.publish(will, publisher=self._session)


def _certificate_of(peer: Peer) -> str:
    return f"certificate={peer.certificate.fingerprint[:12]}…" if peer.certificate else "no readable certificate"
