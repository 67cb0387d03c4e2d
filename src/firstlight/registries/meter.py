"""
How many calls a second a cloud has really taken lately.
"""

import math

# Seconds.  The moving average forgets at this pace.
_MEMORY = 2.0
# Over less time than this nothing is scaled up: a handful of calls at once is no rate.
_YOUNG = 0.25


class Meter:
    """
    An exponentially forgetting average, in calls a second; one addition a call.
    """

    def __init__(self, now: float) -> None:
        self._value = 0.0
        self._at = self._since = now

    def count(self, now: float) -> None:
        """
        One more was taken.
        """
        self._value = self._value * math.exp((self._at - now) / _MEMORY) + 1 / _MEMORY
        self._at = now

    def rate(self, now: float) -> float:
        """
        Return how many were taken a second.
        """
        seen = 1 - math.exp(-max(now - self._since, _YOUNG) / _MEMORY)
        return self._value * math.exp((self._at - now) / _MEMORY) / seen
