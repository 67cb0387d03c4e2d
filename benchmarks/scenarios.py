"""
What is measured, and what it must come to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.stub_limits import HANG, LATE, LOST

_DEVICE_CALLS = ("CreateThing", "RegisterCertificateWithoutCA", "AttachThingPrincipal", "AttachPolicy")
# Gives up: API Gateway, seconds.
GATEWAY = 29.0
# A certificate: one each of four, and what is asked once per process.
MAX_CALLS = 4.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    One scenario, run once.
    """

    certificates: int
    seconds: float
    slowest: float
    rounds: int
    first_errors: int
    unanswered: int
    false_success: int
    cpu_ms: float
    megabytes: float
    calls: int
    throttled: int
    audit: Mapping[str, int]
    messages: Mapping[str, int]

    @property
    def rate(self) -> float:
        return self.certificates / self.seconds

    @property
    def calls_each(self) -> float:
        return self.calls / self.certificates


Check = tuple[str, Callable[[Result], bool]]


def _is_whole(result: Result) -> bool:
    audit = result.audit
    each_once = audit["complete"] == audit["certificates"] == audit["things"] == result.certificates
    return each_once and not audit["things_with_several"] and not audit["certificates_on_several"]


ALL_COMPLETE: Check = ("every device complete, none twice", _is_whole)
IN_TIME: Check = ("every entry answered within 29 s", lambda r: not r.unanswered and r.slowest < GATEWAY)
HONEST: Check = ("no SUCCESS that is not complete", lambda r: r.false_success == 0)
FRUGAL: Check = (f"at most {MAX_CALLS} calls a certificate", lambda r: r.calls_each <= MAX_CALLS)


_SOUND = (HONEST, IN_TIME, ALL_COMPLETE)


ALL_THERE: Check = ("every device there and able to connect", lambda r: r.audit["complete"] == r.certificates)
NONE_THERE: Check = ("no device there", lambda r: r.audit["complete"] == 0)
BULK: Check = ("a hundred devices a call", lambda r: r.calls_each <= 1 / 100)

SOUND_HUB = (HONEST, IN_TIME, ALL_THERE)


def at_least(rate: float) -> Check:
    return f"at least {rate:,.0f} certificates/s", lambda r: r.rate >= rate


def at_most_cpu(milliseconds: float) -> Check:
    return f"at most {milliseconds} ms of CPU each", lambda r: r.cpu_ms <= milliseconds


def near_the_floor(seconds: float) -> Check:
    return f"within 1.1 of the {seconds:.0f} s the quota takes", lambda r: r.seconds <= 1.1 * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    *clients* at once, each with *pushes* of *size*, what failed pushed again up to *rounds* pushes in all.

    `warm`: that many other certificates are pushed before, so that what a process does once is done.
    """

    name: str
    weather: Mapping[str, Any]
    size: int
    cloud: str = "aws"
    clients: int = 1
    pushes: int = 1
    rounds: int = 1
    warm: int = 0
    checks: tuple[Check, ...] = _SOUND

    @property
    def certificates(self) -> int:
        return self.size * self.clients * self.pushes


def _each(faults: Mapping[str, float]) -> dict[str, dict[str, float]]:
    return {operation: dict(faults) for operation in _DEVICE_CALLS}


SCENARIOS = (
    Scenario(
        name="first push of 500, 20 ms a call",
        weather={"latency_ms": 20},
        size=500,
        warm=10,
        checks=(*_SOUND, FRUGAL, at_least(1000)),
    ),
    Scenario(
        name="3 pushes of 500, 20 ms a call",
        weather={"latency_ms": 20},
        size=500,
        pushes=3,
        warm=10,
        checks=(*_SOUND, FRUGAL, at_least(1000)),
    ),
    Scenario(
        name="pushes of 100",
        weather={},
        size=100,
        pushes=40,
        warm=10,
        checks=(*_SOUND, FRUGAL, at_least(1500), at_most_cpu(0.6)),
    ),
    Scenario(
        name="pushes of 100, 4 clients",
        weather={},
        size=100,
        clients=4,
        pushes=10,
        warm=10,
        checks=(*_SOUND, FRUGAL),
    ),
    Scenario(
        name="AWS's quotas, 1 x 100",
        weather={"profile": "aws-default", "latency_ms": 20},
        size=100,
    ),
    Scenario(
        name="AWS's quotas, 16 x 100",
        weather={"profile": "aws-default", "latency_ms": 20},
        size=100,
        clients=16,
        rounds=20,
        # Ten registrations a second, and ten at once.
        checks=(*_SOUND, near_the_floor((1600 - 10) / 10)),
    ),
    Scenario(
        name="GetPolicy 0.5 a second, 16 x 10",
        weather={"latency_ms": 20, "tps": {"GetPolicy": 0.5}},
        size=10,
        clients=8,
        pushes=2,
        rounds=5,
    ),
    Scenario(
        name="AttachPolicy 2 a second, 8 x 50",
        weather={"latency_ms": 20, "tps": {"AttachPolicy": 2}},
        size=50,
        clients=8,
        rounds=20,
    ),
    Scenario(
        name="5 % of calls fail with 500",
        weather={"latency_ms": 20, "faults": _each({"InternalFailureException": 0.05})},
        size=100,
        clients=4,
        rounds=4,
    ),
    Scenario(
        name="5 % of calls hang, half of them done",
        weather={"latency_ms": 20, "faults": _each({HANG: 0.025, LATE: 0.025})},
        size=100,
        clients=4,
        rounds=4,
    ),
    Scenario(
        name="5 % of answers lost",
        weather={"latency_ms": 20, "faults": _each({LOST: 0.05})},
        size=100,
        clients=4,
        rounds=4,
    ),
)
