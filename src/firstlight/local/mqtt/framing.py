"""
A stream of bytes to whole packets, never holding more than one packet's worth.
"""

from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.wire import PacketError

_MORE = 0x80
_MAX_LENGTH_BYTES = 4


class Frames:
    """
    Collects what arrives; `split` gives the packets that are whole.
    """

    def __init__(self, max_packet: int) -> None:
        self._max_packet = max_packet
        self._waiting = b""

    def split(self, arrived: bytes) -> list[tuple[int, bytes]]:
        """
        Return (first header byte, body) of every packet *arrived* completes.

        Raises:
            PacketError: a length is malformed, or a packet is to be larger than allowed.
        """
        data = self._waiting + arrived if self._waiting else arrived
        packets = []
        at, end = 0, len(data)
        while True:
            length, start = self._length(data, at + 1, end)
            if length < 0 or start + length > end:
                break
            packets.append((data[at], data[start : start + length]))
            at = start + length
        self._waiting = data[at:] if at else data
        return packets

    def _length(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        value = 0
        for position in range(_MAX_LENGTH_BYTES):
            if at >= end:
                return -1, at
            byte = data[at]
            at += 1
            value |= (byte & ~_MORE) << (7 * position)
            if byte & _MORE:
                continue
            if value > self._max_packet:
                raise PacketError(
                    f"a packet of {value:,} bytes is larger than {self._max_packet:,}", Reason.PACKET_TOO_LARGE
                )
            return value, at
        raise PacketError("the packet's length is longer than four bytes")
