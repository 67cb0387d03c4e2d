"""
How many operations a minute a hub or a DPS takes.
"""

from collections.abc import Callable

from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import Hub

# Registry operations a minute and unit; "IoT Hub quotas and throttling".  Whether a bulk call counts once or once a
# device is not documented; here it is one operation.
_BY_SKU = {"S3": 5000}
_OTHERS = 100
_MINUTE = 60.0


def registry_rate(hub: Hub) -> int:
    """
    Return how many registry operations a minute *hub* takes.
    """
    return _BY_SKU.get(hub.sku, _OTHERS) * hub.units


class Throttle:
    """
    A bucket that holds a minute's worth and fills steadily, one for each name.  *clock* is monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, rate: int) -> None:
        """
        Take one of *rate* a minute.

        Raises:
            Refusal: 429, without Retry-After, as IoT Hub has it.
        """
        now = self._clock()
        left, since = self._buckets.get(name, (float(rate), now))
        left = min(float(rate), left + (now - since) * rate / _MINUTE)
        if left < 1:
            self._buckets[name] = left, now
            raise Refusal(
                429, "ThrottlingException", "Operations are being throttled for the hub. Wait 10 seconds and try again."
            )
        self._buckets[name] = left - 1, now
