"""
How long it will take, judged by the last seconds alone.
"""

from collections import deque

# Long enough that one slow slice does not move it much, short enough to follow a throttle.
_WINDOW = 30.0


class Estimate:
    """
    The rate of the last 30 seconds, and the time that *left* more would take at it.
    """

    def __init__(self, now: float) -> None:
        self._seen: deque[tuple[float, int]] = deque([(now, 0)])

    def saw(self, now: float, finished: int) -> None:
        """
        Note that *finished* are finished by *now* (seconds of any clock that only goes on).
        """
        self._seen.append((now, finished))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _WINDOW:  # noqa: PLR2004 -- two make a rate
            self._seen.popleft()

    def rate(self, now: float) -> float:
        """
        Return how many a second were finished lately; time in which none was counts as well.
        """
        since, before = self._seen[0]
        seconds = now - since
        return (self._seen[-1][1] - before) / seconds if seconds > 0 else 0.0

    def seconds_left(self, now: float, left: int) -> float | None:
        """
        Return the seconds that *left* more take, None while there is no saying.
        """
        rate = self.rate(now)
        return left / rate if rate > 0 else None


def in_words(seconds: float | None) -> str:
    """
    Return *seconds* as a person says them: "1 h 4 min".
    """
    if seconds is None:
        return "time left unknown yet"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 -- a minute
        return f"{whole} s left"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min {rest} s left"
