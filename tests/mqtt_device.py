"""
A device in bare MQTT 3.1.1 or 5 over mutual TLS: says what it is told to, right or wrong, and hears every byte.

Written against the specifications and not with firstlight's own codec, which it tests.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from firstlight import pki
from firstlight.certificates import Certificate

V311, V5 = 4, 5
_PATIENCE = 20.0


@dataclass(frozen=True)
class Identity:
    """
    A device's files.
    """

    name: str
    certificate: Certificate
    certificate_file: Path
    key_file: Path

    @classmethod
    def written(cls, folder: Path, certificate: Certificate, key: pki.PrivateKey, *chain: Certificate) -> "Identity":
        folder.mkdir(parents=True, exist_ok=True)
        certificate_file = folder / f"{certificate.fingerprint[:16]}.pem"
        key_file = folder / f"{certificate.fingerprint[:16]}.key"
        pki.write_certificate(certificate_file, certificate, *chain)
        pki.write_key(key_file, key)
        return cls(certificate.common_name or "", certificate, certificate_file, key_file)


def tls(identity: Identity | None, ca_file: Path, *, verify_host: bool = True) -> ssl.SSLContext:
    """
    Return the TLS of a device; *identity* None shows no certificate.
    """
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = verify_host
    if identity is not None:
        context.load_cert_chain(identity.certificate_file, identity.key_file)
    return context


class GoneError(Exception):
    """
    The server has closed the connection; `reason` is what its DISCONNECT said, if it said anything.
    """

    def __init__(self, reason: int | None = None) -> None:
        super().__init__(f"closed, reason {reason}")
        self.reason = reason


@dataclass
class Device:
    """
    One connection.  `connect` first; everything waits a bounded time.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    version: int = V5
    session_present: bool = False
    connack_properties: bytes = b""
    _messages: deque[tuple[str, bytes, bool]] = field(default_factory=deque)
    _last_id: int = 0

    @classmethod
    async def dial(
        cls, port: int, context: ssl.SSLContext, *, server_name: str | None = "localhost", version: int = V5
    ) -> Self:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name or ""), _PATIENCE
        )
        return cls(reader, writer, version)

    async def connect(
        self,
        client_id: str,
        *,
        clean: bool = True,
        keep_alive: int = 60,
        expiry: int = 0,
        will: tuple[str, bytes] | None = None,
        will_retain: bool = False,
        username: str | None = None,
    ) -> int:
        """
        Return the code of CONNACK.

        Raises:
            GoneError: there was none.
        """
        flags = 0x02 * clean | 0x04 * (will is not None) | 0x20 * will_retain | 0x80 * (username is not None)
        body = text("MQTT") + bytes((self.version, flags)) + keep_alive.to_bytes(2, "big")
        if self.version == V5:
            body += block(b"\x11" + expiry.to_bytes(4, "big") if expiry else b"")
        body += text(client_id)
        if will is not None:
            body += (block() if self.version == V5 else b"") + text(will[0]) + sized(will[1])
        body += text(username) if username is not None else b""
        self.write(packet(0x10, body))
        header, answer = await self.packet()
        assert 0x20 == header
        self.session_present = bool(answer[0])
        self.connack_properties = answer[2:]
        return answer[1]

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """
        Return the reason of PUBACK (0 in 3.1.1), or None with QoS 0.
        """
        self.write(self.publication(topic, payload, qos=qos, retain=retain))
        if not qos:
            return None
        answer = await self._answer(0x40)
        return answer[2] if len(answer) > 2 else 0

    def publication(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bytes:
        head = text(topic) + (self._packet_id() if qos else b"") + (block() if self.version == V5 else b"")
        return packet(0x30 | qos << 1 | retain, head + payload)

    async def subscribe(self, *filters: str, qos: int = 1, options: int = 0) -> list[int]:
        """
        Return the codes of SUBACK.
        """
        body = self._packet_id() + (block() if self.version == V5 else b"")
        body += b"".join(text(name) + bytes((qos | options,)) for name in filters)
        self.write(packet(0x82, body))
        answer = await self._answer(0x90)
        return list(answer[3 if self.version == V5 else 2 :])

    async def unsubscribe(self, *filters: str) -> list[int]:
        body = self._packet_id() + (block() if self.version == V5 else b"") + b"".join(text(name) for name in filters)
        self.write(packet(0xA2, body))
        answer = await self._answer(0xB0)
        return list(answer[3:]) if self.version == V5 else []

    async def receive(self) -> tuple[str, bytes]:
        """
        Return the next message's topic and payload.
        """
        topic, payload, _ = await self.receive_with_retain()
        return topic, payload

    async def receive_with_retain(self) -> tuple[str, bytes, bool]:
        while not self._messages:
            header, body = await self.packet()
            self._keep(header, body)
        return self._messages.popleft()

    async def heard_before_ping(self) -> list[tuple[str, bytes]]:
        """
        Return the messages that came before the answer to a PINGREQ: all there are.
        """
        self.write(b"\xc0\x00")
        await self._answer(0xD0)
        heard = [(topic, payload) for topic, payload, _ in self._messages]
        self._messages.clear()
        return heard

    async def gone(self) -> int | None:
        """
        Wait until the server closes; return the reason it gave.
        """
        try:
            while True:
                header, body = await self.packet()
                self._keep(header, body)
        except GoneError as e:
            return e.reason

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def say_goodbye(self) -> None:
        self.write(b"\xe0\x00")
        await self.hang_up()

    async def hang_up(self) -> None:
        self.writer.close()
        # the other side may be gone already
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            await asyncio.wait_for(self.writer.wait_closed(), 5)

    async def packet(self) -> tuple[int, bytes]:
        """
        Return the next packet's first byte and body.

        Raises:
            GoneError: there is none.
        """
        try:
            return await asyncio.wait_for(self._packet(), _PATIENCE)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as e:
            raise GoneError from e

    async def _packet(self) -> tuple[int, bytes]:
        header = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        body = await self.reader.readexactly(length)
        if header == 0xE0:
            raise GoneError(body[0] if body else 0)
        return header, body

    async def _answer(self, wanted: int) -> bytes:
        while True:
            header, body = await self.packet()
            if header == wanted:
                return body
            self._keep(header, body)

    def _keep(self, header: int, body: bytes) -> None:
        if header >> 4 != 3:
            return
        at = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at].decode()
        if header & 0x06:
            self.write(packet(0x40, body[at : at + 2]))
            at += 2
        if self.version == V5:
            at += 1 + body[at]
        self._messages.append((topic, body[at:], bool(header & 1)))

    def _packet_id(self) -> bytes:
        self._last_id = self._last_id % 65_535 + 1
        return self._last_id.to_bytes(2, "big")


def sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def text(value: str) -> bytes:
    return sized(value.encode())


def block(properties: bytes = b"") -> bytes:
    return bytes((len(properties),)) + properties


def packet(header: int, body: bytes) -> bytes:
    length = len(body)
    written = bytearray((header,))
    while True:
        length, byte = length >> 7, length & 0x7F
        written.append(byte | 0x80 if length else byte)
        if not length:
            return bytes(written) + body
