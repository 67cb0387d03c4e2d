"""
What this process left in a queue lately.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

# More than an hour's work at AWS's published ten a second, in some 15 MB.
_MOST = 50_000
_LONGEST = timedelta(hours=1)


class Recent:
    """
    Fingerprints of queued devices, the latest *most* of them, each for *longest* after it was queued.
    """

    def __init__(self, *, most: int = _MOST, longest: timedelta = _LONGEST) -> None:
        self._most = most
        self._longest = longest
        self._queued: OrderedDict[bytes, datetime] = OrderedDict()

    def add(self, fingerprint: str, now: datetime) -> None:
        """
        The device is in the queue since *now*.
        """
        key = bytes.fromhex(fingerprint)
        self._queued[key] = now
        self._queued.move_to_end(key)
        while len(self._queued) > self._most:
            self._queued.popitem(last=False)

    def drop(self, fingerprint: str) -> None:
        """
        The device needs no queue any more.
        """
        self._queued.pop(bytes.fromhex(fingerprint), None)

    def has(self, fingerprint: str, now: datetime) -> bool:
        since = self._queued.get(bytes.fromhex(fingerprint))
        return since is not None and now - since <= self._longest
