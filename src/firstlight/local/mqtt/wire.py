"""
The data types of MQTT on the wire (MQTT 5 section 1.5), read with bounds and written.
"""

from firstlight.local.mqtt.reasons import Reason

_MORE = 0x80
_MAX_LENGTH_BYTES = 4


class PacketError(ValueError):
    """
    A packet that ends its connection; `reason` is what an MQTT 5 client is told.
    """

    def __init__(self, problem: str, reason: Reason = Reason.MALFORMED_PACKET) -> None:
        super().__init__(problem)
        self.reason = reason


class Reader:
    """
    Reads one packet's body from front to back and never past its end.

    Raises:
        PacketError: the body ends too early, or a field is not what the specification allows.
    """

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._body)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._body):
            raise PacketError("the packet is shorter than its fields say")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def two_bytes(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def four_bytes(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def variable(self) -> int:
        value = 0
        for position in range(_MAX_LENGTH_BYTES):
            byte = self.byte()
            value |= (byte & ~_MORE) << (7 * position)
            if not byte & _MORE:
                return value
        raise PacketError("a variable byte integer is longer than four bytes")

    def binary(self) -> bytes:
        return self.take(self.two_bytes())

    def text(self) -> str:
        return decoded(self.binary())

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def part(self, count: int) -> "Reader":
        return Reader(self.take(count))

    def require_end(self) -> None:
        if not self.at_end:
            raise PacketError("the packet is longer than its fields say")


def decoded(raw: bytes) -> str:
    """
    Return *raw* as text (section 1.5.4).

    Raises:
        PacketError: it is not UTF-8, or has the character U+0000.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise PacketError("a text is not UTF-8") from e
    if "\x00" in text:
        raise PacketError("a text has the character U+0000")
    return text


def variable(value: int) -> bytes:
    """
    Return *value*, below 268,435,456, as a variable byte integer.
    """
    if value < _MORE:
        return bytes((value,))
    written = bytearray()
    while True:
        value, byte = value >> 7, value & ~_MORE & 0xFF
        written.append(byte | _MORE if value else byte)
        if not value:
            return bytes(written)


def text(value: str) -> bytes:
    """
    Return *value* with its length in front.
    """
    return binary(value.encode("utf-8"))


def binary(value: bytes) -> bytes:
    """
    Return *value*, below 65,536 bytes, with its length in front.
    """
    return len(value).to_bytes(2, "big") + value


def packet(header: int, body: bytes) -> bytes:
    """
    Return a whole packet: the fixed header's first byte, the length, the body.
    """
    return bytes((header,)) + variable(len(body)) + body
