"""
One TCP connection: TLS in memory, around a conversation in MQTT.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from OpenSSL import SSL

from firstlight.local.mqtt.conversation import Conversation, Wire
from firstlight.local.mqtt.terms import Peer
from firstlight.local.mqtt.tls import peer_certificate, peer_chain

_RECORDS = 65_536
_OUTGOING = 262_144
# What a slow client may leave unread before messages for it are held back or dropped.
_MAX_UNSENT = 1_048_576

Converse = Callable[[Wire, Peer], Conversation]


class Connection(asyncio.Protocol):
    """
    `since` and `heard` are loop times: when it began (or began to close), and when the client last sent something.
    """

    def __init__(self, context: SSL.Context, converse: Converse, closed: Callable[["Connection"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._converse = converse
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._unwritten: list[bytes] = []
        self._flush_due = False
        self._closing = False
        self.congested = False
        self.conversation: Conversation | None = None
        self.since = self.heard = self._loop.time()

    @property
    def is_closing(self) -> bool:
        return self._closing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MAX_UNSENT)
        # small packets must not wait for an acknowledgement of the last one
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        try:
            self._tls.bio_write(data)
            if self.conversation is None and not self._shake_hands():
                return
            received, ended = self._decrypted()
            if received and self.conversation is not None:
                self.conversation.received(received)
            self._flush()
        except SSL.Error:
            # close, not abort: the alert should arrive
            self._send_records()
            self.hang_up()
            return
        if ended:
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._transport = None
        self._closing = True
        if self.conversation is not None:
            self.conversation.lost()
        self._closed(self)

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        if self.conversation is not None:
            self.conversation.relieved()

    def write(self, packet: bytes) -> None:
        self._unwritten.append(packet)
        if not self._flush_due:
            # once per turn of the loop: many small packets become few records
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def listen(self, *, attentively: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if attentively:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def hang_up(self) -> None:
        """
        Say goodbye in TLS and close once everything is sent.
        """
        if self._closing or self._transport is None:
            return
        self._flush()
        self._closing = True
        self.since = self._loop.time()
        # a client that has broken TLS off is nobody to say goodbye to
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._send_records()
        self._transport.close()

    def abort(self, why: str) -> None:
        """
        Close now, whatever was still to be sent.
        """
        self._closing = True
        if self.conversation is not None:
            self.conversation.lost(why)
        if self._transport is not None:
            self._transport.abort()

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        finally:
            self._send_records()
        name = self._tls.get_servername() or b""
        address = self._transport.get_extra_info("peername")[0] if self._transport else ""
        peer = Peer(
            certificate=peer_certificate(self._tls),
            chain=peer_chain(self._tls),
            server_name=name.decode("ascii", "replace").lower(),
            address=address,
        )
        self.conversation = self._converse(self, peer)
        return True

    def _decrypted(self) -> tuple[bytes, bool]:
        parts = []
        while True:
            try:
                parts.append(self._tls.recv(_RECORDS))
            except SSL.WantReadError:
                return b"".join(parts), False
            except SSL.ZeroReturnError:
                return b"".join(parts), True

    def _flush(self) -> None:
        self._flush_due = False
        if not self._unwritten or self._closing:
            return
        plain = b"".join(self._unwritten)
        self._unwritten.clear()
        try:
            while plain:
                plain = plain[self._tls.send(plain) :]
        except SSL.Error:
            self.abort("TLS failed")
            return
        self._send_records()

    def _send_records(self) -> None:
        if self._transport is None:
            return
        while True:
            try:
                self._transport.write(self._tls.bio_read(_OUTGOING))
            except SSL.WantReadError:
                return
