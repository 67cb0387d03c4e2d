"""
What happens to each call on its way: drawn from a seed, counted, and over when a run calls for calm.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.stub_limits import HANG, LATE, LOST, Limits

# Besides HANG (not done, no answer), LATE (done, no answer) and LOST (done, and the connection closed):
TARDY = "tardy"  # no answer, and done when the client has long given up
UNREACHABLE = "unreachable"  # not even a connection
DONE_THEN_500 = "done, then 500"
FAILED = "500"
UNAVAILABLE = "503"
THROTTLED = "throttled"
EXPIRED = "expired token"
UNSEEN = "not seen yet"  # 404 for what was made a moment ago
PARTIAL = "partially applied"  # a bulk call, done in part, then 500
PARTIAL_LOST = "partially applied and lost"
PARTIAL_TOLD = "partially applied and said so"

OF_QUEUE = frozenset(
    {
        *("SendMessageBatch", "ChangeMessageVisibilityBatch", "ReceiveMessage", "DeleteMessageBatch"),
        *("PutMessage", "GetMessages", "DeleteMessage"),
    }
)
DONE = frozenset({LATE, LOST, TARDY, DONE_THEN_500, PARTIAL, PARTIAL_LOST, PARTIAL_TOLD})
SILENT = frozenset({HANG, LATE, TARDY, PARTIAL_LOST})

# What a hub that counts devices lets through at once.
_BURST = {"Registry": 4.0}
# Seconds after which what is tardy is done at the latest.
_TARDINESS = 40.0


@dataclass
class Weather:
    """
    `faults`: kind -> probability, for each call; no more than `most` of them.  `tps`: operation -> quota.
    """

    seed: int
    faults: Mapping[str, float] = field(default_factory=dict)
    most: int = 1_000_000
    tps: Mapping[str, float] = field(default_factory=dict)
    # For what it is fine: "queue", "registry" or nothing.
    spares: str = ""

    def __post_init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self._random = random.Random(self.seed)
        self._limits = Limits(
            tps=self.tps,
            burst=_BURST,
            faults={"*": self.faults},
            seed=self.seed,
            clock=lambda: asyncio.get_running_loop().time(),
        )

    def calm(self) -> None:
        """
        From now on nothing goes wrong.
        """
        self._limits = Limits()

    def fault(self, operation: str, *, cannot: frozenset[str] = frozenset()) -> str:
        """
        Draw what goes wrong with this call, "" for nothing; *cannot* go wrong names what makes no sense for it.
        """
        if self.spares == ("queue" if operation in OF_QUEUE else "registry"):
            return ""
        kind = self._limits.fault(operation)
        if not kind or kind in cannot or self.injected.total() >= self.most:
            return ""
        self.injected[kind] += 1
        return kind

    def admits(self, operation: str, cost: int = 1) -> bool:
        """
        Whether the quota allows it; each refusal counts as a fault.
        """
        if self.injected.total() >= self.most or self._limits.admits(operation, cost):
            return True
        self.injected["over the quota"] += 1
        return False

    @property
    def is_odd(self) -> bool:
        """
        Whether this cloud, in every second run, does what it may do and mostly does not.
        """
        return self.seed % 2 == 1

    def latency(self) -> float:
        """
        Draw how long a call is on its way, one way, in seconds: mostly milliseconds, now and then long.
        """
        quick = self._random.random()
        return 0.002 + 0.05 * quick if quick < 0.97 else 60.0 * (quick - 0.97)

    def tardiness(self) -> float:
        return _TARDINESS * self._random.random()

    def part(self, number: int) -> int:
        """
        Draw how many of *number* a call does before it breaks off.
        """
        return self._random.randrange(number)
