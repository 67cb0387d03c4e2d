"""
The identity registry operations a minute that an operator says a hub takes: handed out in order, none in vain.

Microsoft's "IoT Hub quotas and throttling" counts "Identity registry operations" a minute and unit.  Whether a bulk
call is one or as many as it has devices is not documented; here it is as many, which is right either way.
"""

import re

from firstlight.errors import SettingsError

OPERATIONS = "IdentityRegistryOperations"
_MINUTE = 60.0
# Seconds' worth of operations in one bulk call, when nothing was saved up.
_PORTION = 10.0
_FORM = f"It is as in {OPERATIONS}=500, operations a minute: 100 a unit, of S3 5,000."
_NUMBER = re.compile(r"\d{1,7}(\.\d+)?")


class Budget:
    """
    A bucket that holds a minute's worth, and fills steadily.  Times are the running loop's clock, seconds.
    """

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / _MINUTE
        self._most = max(1.0, per_minute)
        self._left = self._most
        self._at = float("-inf")

    def portion(self, now: float) -> int:
        """
        Return how many operations are worth waiting for together.
        """
        self._fill(now)
        return max(1, int(self._left), int(self._rate * _PORTION))

    def wait_for(self, operations: int, *, now: float, deadline: float) -> float | None:
        """
        Set *operations* aside and return the seconds until they may be used; None if that is after *deadline*.
        """
        self._fill(now)
        wait = max(0.0, (min(operations, self._most) - self._left) / self._rate)
        if wait and now + wait >= deadline:
            return None
        self._left -= operations
        return wait

    def overdrawn(self, now: float) -> None:
        """
        The hub has turned a call away: others use it, too, and there is nothing saved up.
        """
        self._fill(now)
        self._left = min(self._left, 0.0)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._left = min(self._most, self._left + (now - max(self._at, 0.0)) * self._rate)
            self._at = now


def parse(quotas: str) -> Budget | None:
    """
    Return the budget that the setting *quotas* describes, None if it is empty.

    Raises:
        SettingsError: it names something else, or no number.
    """
    if not quotas:
        return None
    name, _, number = (part.strip() for part in quotas.partition("="))
    if name.lower() != OPERATIONS.lower():
        raise SettingsError(f"FIRSTLIGHT_QUOTAS: {name!r} is no quota of a hub.", hint=_FORM)
    if not _NUMBER.fullmatch(number) or float(number) <= 0:
        raise SettingsError(f"FIRSTLIGHT_QUOTAS: {number!r} is no number of operations a minute.", hint=_FORM)
    return Budget(float(number))
