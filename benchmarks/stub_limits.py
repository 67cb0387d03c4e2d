"""
What a stub cloud does to a call before it does it: quotas as token buckets, faults by chance.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Default AWS IoT Core control-plane quotas, calls a second.  Sources: Service Quotas.
AWS_DEFAULT = {
    "RegisterCertificateWithoutCA": 10.0,
    "DescribeCertificate": 10.0,
    "UpdateCertificate": 10.0,
    "ListThingPrincipals": 10.0,
    "ListPrincipalThings": 10.0,
    "ListAttachedPolicies": 15.0,
    "AttachPolicy": 15.0,
    "GetPolicy": 10.0,
    "DescribeEndpoint": 10.0,
    "CreateThing": 100.0,
    "UpdateThing": 100.0,
    "AttachThingPrincipal": 100.0,
    "DescribeThing": 350.0,
}
# Registry operations of one S1 unit, devices of bulk calls counted one by one.
HUB_S1 = {"Registry": 100 / 60}
PROFILES: dict[str, dict[str, float]] = {
    "none": {},
    "all-10": {"*": 10.0},
    "aws-default": AWS_DEFAULT,
    "hub-s1": HUB_S1,
}

# Faults that are no error code.
HANG = "hang"  # nothing is done and nothing answered
LATE = "late"  # it is done, and nothing answered
LOST = "lost"  # it is done, and the connection closed instead of an answer


class Bucket:
    """
    A token bucket, full at first.
    """

    def __init__(self, rate: float, capacity: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._capacity, self._tokens = rate, capacity, capacity
        self._clock = clock
        self._filled = clock()

    def take(self, cost: int = 1) -> bool:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True


@dataclass
class Limits:
    """
    The present weather.  Operation `*` stands for every operation not named.
    """

    latency_ms: float = 0.0
    # Calls a second; none means no limit.  The bucket holds a second's worth unless `burst` says otherwise.
    tps: Mapping[str, float] = field(default_factory=dict)
    burst: Mapping[str, float] = field(default_factory=dict)
    # Operation -> {error code, HANG, LATE or LOST -> probability}.
    faults: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # 400 by AWS's reference; some services and most proxies say 429.
    throttle_status: int = 400
    seed: int = 1
    # Seconds; of the buckets.
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._random = random.Random(self.seed)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Limits":
        """
        Read {"profile": a name of PROFILES, …any field}; what is not named is as at first.
        """
        fields = dict(document)
        profile = PROFILES[fields.pop("profile", "none")]
        return cls(**{**fields, "tps": {**profile, **fields.get("tps", {})}})

    def admits(self, operation: str, cost: int = 1) -> bool:
        rate = self.tps.get(operation, self.tps.get("*", 0))
        if not rate:
            return True
        bucket = self._buckets.get(operation)
        if bucket is None:
            capacity = self.burst.get(operation, self.burst.get("*", rate))
            bucket = self._buckets[operation] = Bucket(rate, max(capacity, 1), self.clock)
        return bucket.take(cost)

    def fault(self, operation: str) -> str:
        """
        Draw what goes wrong with this call; "" for nothing.
        """
        faults = self.faults.get(operation) or self.faults.get("*")
        if not faults:
            return ""
        draw = self._random.random()
        for kind, probability in faults.items():
            draw -= probability
            if draw < 0:
                return kind
        return ""
