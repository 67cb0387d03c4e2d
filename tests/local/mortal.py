"""
A process that is killed between two calls, played by a client that dies.
"""

from dataclasses import dataclass

from firstlight import boto
from firstlight.local.addresses import Addresses


class Killed(BaseException):
    """
    The process ended here.
    """


@dataclass
class Mortal:
    """
    A client of AWS IoT on *laptop*, `iot`, that dies when `left` requests were sent.
    """

    laptop: Addresses
    left: int = 0

    def __post_init__(self) -> None:
        self.iot = boto.client(
            "iot",
            region=self.laptop.region,
            endpoint_url=self.laptop.endpoint_url,
            credentials=self.laptop.credentials,
            before=self._count,
        )

    def _count(self, operation: str) -> None:
        del operation
        if self.left <= 0:
            raise Killed
        self.left -= 1
