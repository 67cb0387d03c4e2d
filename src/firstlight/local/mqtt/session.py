"""
What is known of one client id, connected or not: subscriptions, and messages on their way to it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from firstlight.local.mqtt import encoding
from firstlight.local.mqtt.cloud import Message
from firstlight.local.mqtt.packets import Request

_LAST_PACKET_ID = 65_535


class Line(Protocol):
    """
    The live connection of a session.
    """

    version: int
    # the largest packet the client takes
    max_packet: int

    @property
    def congested(self) -> bool:
        """
        Whether the client reads more slowly than it is written to.
        """

    def may_receive(self, topic: str) -> bool:
        """
        Whether its policy lets a message on *topic* through.
        """

    def write(self, packet: bytes) -> None:
        """
        Send *packet*, soon.
        """

    def displaced(self) -> None:
        """
        Another connection has taken the session over.
        """


class Outgoing:
    """
    A message and its bytes, encoded once for each version and QoS however many receive it.
    """

    __slots__ = ("_encoded", "message", "topic")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.topic = message.topic.encode("utf-8")
        self._encoded: dict[tuple[int, int, bool], bytes] = {}

    def packet(self, version: int, qos: int, *, retain: bool) -> bytes:
        key = (version, qos, retain)
        packet = self._encoded.get(key)
        if packet is None:
            packet = self._encoded[key] = encoding.publish(
                version, self.topic, self.message.payload, qos=qos, retain=retain, given=self.message.properties
            )
        return packet


@dataclass(eq=False)
class Session:
    """
    `expiry` is how many seconds it outlives its connection; `expires_at` when it does (loop time), once alone.
    """

    client_id: str
    max_in_flight: int
    max_queued: int
    expiry: int = 0
    expires_at: float = 0.0
    line: Line | None = None
    subscriptions: dict[str, Request] = field(default_factory=dict)
    _queue: deque[tuple[Outgoing, bool]] = field(default_factory=deque)
    _in_flight: dict[int, tuple[Outgoing, bool]] = field(default_factory=dict)
    _last_id: int = 0

    def deliver(self, outgoing: Outgoing, qos: int, *, retain: bool = False) -> None:
        """
        Send or keep a message, as its QoS and the state of the client allow; keep no more than is agreed.
        """
        line = self.line
        if line is None:
            if qos and self.expiry and len(self._queue) < self.max_queued:
                self._queue.append((outgoing, retain))
            return
        if not line.may_receive(outgoing.message.topic):
            return
        if not qos:
            packet = outgoing.packet(line.version, 0, retain=retain)
            if not line.congested and len(packet) <= line.max_packet:
                line.write(packet)
        elif len(self._in_flight) < self.max_in_flight and not line.congested:
            self._send(line, outgoing, retain=retain)
        elif len(self._queue) < self.max_queued:
            self._queue.append((outgoing, retain))

    def acknowledged(self, packet_id: int) -> None:
        """
        The client has that message; the next may go.
        """
        if self._in_flight.pop(packet_id, None) is not None:
            self.pump()

    def pump(self) -> None:
        """
        Send what waited, as far as the client takes it.
        """
        line = self.line
        while self._queue and line is not None and len(self._in_flight) < self.max_in_flight and not line.congested:
            outgoing, retain = self._queue.popleft()
            if line.may_receive(outgoing.message.topic):
                self._send(line, outgoing, retain=retain)

    def resume(self, line: Line, max_in_flight: int) -> None:
        """
        Go on over *line*: first again what was not acknowledged, then what waited.
        """
        self.line, self.max_in_flight = line, max_in_flight
        unacknowledged, self._in_flight = self._in_flight, {}
        for packet_id, (outgoing, retain) in unacknowledged.items():
            if line.may_receive(outgoing.message.topic):
                self._in_flight[packet_id] = (outgoing, retain)
                packet = outgoing.packet(line.version, 1, retain=retain)
                line.write(encoding.numbered(packet, len(outgoing.topic), packet_id, again=True))
        self.pump()

    def _send(self, line: Line, outgoing: Outgoing, *, retain: bool) -> None:
        packet = outgoing.packet(line.version, 1, retain=retain)
        if len(packet) > line.max_packet:
            return
        packet_id = self._free_id()
        self._in_flight[packet_id] = (outgoing, retain)
        line.write(encoding.numbered(packet, len(outgoing.topic), packet_id))

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id % _LAST_PACKET_ID + 1
            if self._last_id not in self._in_flight:
                return self._last_id
