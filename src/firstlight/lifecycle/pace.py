"""
Holds calls back so that what an operator does to a whole fleet stays below the account's quotas.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from firstlight.errors import UsageError
from firstlight.registries import quotas

# Calls a second that AWS allows an account in a region by default: what has no number of its own, and, besides what
# provisioning calls, what has one.
_DEFAULT = 10.0
AWS_QUOTAS: Mapping[str, float] = {
    **{str(operation): rate for operation, rate in quotas.DEFAULTS.items()},
    "DeleteThing": 100,  # L-889800F7
    "DetachPolicy": 15,  # L-EC88D510
    "DetachThingPrincipal": 100,
}
_BURST = 1.0


class Pace:
    """
    Threads that call it with an operation's name go on when that operation's turn has come.

    *raised* are calls a second by operation, over those of `AWS_QUOTAS`; *default* is everybody else's.  After a
    pause *burst* seconds of a quota may be used at once.
    """

    def __init__(
        self,
        raised: Mapping[str, float] | None = None,
        *,
        default: float = _DEFAULT,
        burst: float = _BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._quotas = {**AWS_QUOTAS, **(raised or {})}
        self._default = default
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def __call__(self, operation: str) -> None:
        """
        Return when *operation* may be called.
        """
        with self._lock:
            now = self._clock()
            turn = max(self._next.get(operation, 0.0), now - self._burst)
            self._next[operation] = turn + 1 / self._quotas.get(operation, self._default)
        if turn > now:
            self._sleep(turn - now)


def read_quotas(texts: Iterable[str]) -> dict[str, float]:
    """
    Return the quotas that *texts* raise, each as in "UpdateCertificate=100", several with commas between.

    Raises:
        UsageError: one is not of that form.
    """
    found: dict[str, float] = {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        if not text:
            continue
        operation, _, number = text.partition("=")
        try:
            found[operation.strip()] = float(number)
        except ValueError:
            found[operation.strip()] = 0.0
        if not found[operation.strip()] > 0 or not operation.strip().isalnum():
            raise UsageError(
                f"{text!r} is no quota.", hint="Write an operation and its calls a second: UpdateCertificate=100."
            )
    return found
