"""
One run, drawn from a seed: who is pushed when, what goes wrong, and whom an operator switches off.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.faults import people, weather
from tests.faults.process import Death

_EVERYWHERE = (
    weather.THROTTLED,
    weather.FAILED,
    weather.UNAVAILABLE,
    weather.DONE_THEN_500,
    weather.HANG,
    weather.LATE,
    weather.LOST,
    weather.TARDY,
    weather.UNREACHABLE,
)
KINDS = {
    "aws": (*_EVERYWHERE, weather.EXPIRED, weather.UNSEEN),
    "azure": (
        *_EVERYWHERE,
        weather.EXPIRED,
        weather.PARTIAL,
        weather.PARTIAL_LOST,
        weather.PARTIAL_TOLD,
    ),
}
# Of a call going wrong: from fine weather to one in which hardly anything gets through.
_RATES = (0.0, 0.05, 0.15, 0.3, 0.5, 0.85, 0.97)
_REGISTERING, _ALL = "RegisterCertificateWithoutCA", "*"
_DOWN = (weather.HANG, weather.UNREACHABLE, weather.UNAVAILABLE)
# Operation -> calls a second, far below AWS's so that few devices meet it; the hub's are a minute's.
_QUOTAS: dict[str, tuple[dict[str, float], ...]] = {
    "aws": ({}, {}, {_REGISTERING: 1.0}, {_ALL: 2.0}),
    "azure": ({}, {}, {"Registry": 0.2}),
}
# Seconds: for which a message is hidden, and which an invocation may take; the last ones are deployed.
_HIDDEN = {"aws": (15.0, 60.0, 180.0), "azure": (60.0, 600.0)}
_SECONDS = {"aws": (12.0, 30.0, 60.0), "azure": (30.0, 300.0)}
_LEFTOVERS = {"aws": ("t", "t", "t", "c", "ct", "cta", "ctap", "cp"), "azure": ("d", "s")}


@dataclass(frozen=True, slots=True)
class Case:
    """
    A run as it is named on a command line.  The caps do not change what the seed draws, they leave the end of it out.
    """

    seed: int
    devices: int = people.COUNT
    pushes: int = 6
    faults: int = 1000

    def command(self, cloud: str) -> str:
        default = Case(self.seed)
        caps = [
            f"--{n} {getattr(self, n)}"
            for n in ("devices", "pushes", "faults")
            if getattr(self, n) != getattr(default, n)
        ]
        return " ".join(["python -m tests.faults", cloud, f"--seed {self.seed}", *caps])


@dataclass(frozen=True, slots=True)
class Push:
    """
    A push of devices by one of a few processes, and how that dies.

    `later` leaves all of it to the queue; `asks` what became of it afterwards.
    """

    at: float
    process: int
    who: tuple[int, ...]
    seconds: float
    death: Death | None = None
    later: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """
    An operator's act.
    """

    at: float
    who: int
    status: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """
    A queue (see `Queue`) and its workers (see `Workers`).
    """

    hidden: float
    most: int
    twice: float
    undeleted: float
    at_once: int
    seconds: float
    mortality: float
    # For which the weather stays as it is when the last push is over.
    bad_weather: float
    # What has nothing of it.
    spared: str
    # Whether an operator's own processes work it off.
    own: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Devices are positions in `people.devices`; times are seconds since the beginning.
    """

    devices: tuple[int, ...]
    pushes: tuple[Push, ...]
    acts: tuple[SwitchOff, ...] = ()
    leftovers: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[str, float] = field(default_factory=dict)
    tps: Mapping[str, float] = field(default_factory=dict)
    backlog: Backlog | None = None


def drawn(case: Case, cloud: str) -> Plan:
    """
    Return the plan of *case* on *cloud*, "aws" or "azure".
    """
    chance = random.Random(case.seed)
    # Now and then only devices that want one another's names.
    among = people.RIVALS if chance.random() < 0.3 else range(people.COUNT)
    chosen = tuple(chance.sample(among, chance.choice((1, 2, 3, 4, 6, 9))))
    faults = _faults(chance, cloud)
    tps = chance.choice(_QUOTAS[cloud])
    leftovers = _leftovers(chance, chosen, cloud)
    acts = tuple(
        SwitchOff(chance.uniform(0, 40), who, chance.choice(("INACTIVE", "REVOKED")))
        for who in chosen
        if chance.random() < 0.08
    )
    backlog = _backlog(chance, cloud)
    pushes = tuple(_push(chance, chosen, number, queue=backlog is not None) for number in range(chance.randint(1, 4)))
    kept = chosen[: case.devices]
    return Plan(
        devices=kept,
        pushes=tuple(_without(push, kept) for push in pushes[: case.pushes]),
        acts=tuple(act for act in acts if act.who in kept),
        leftovers={who: parts for who, parts in leftovers.items() if who in kept},
        faults=faults,
        tps=tps,
        backlog=backlog,
    )


def _faults(chance: random.Random, cloud: str) -> dict[str, float]:
    """
    Draw what goes wrong, and how often: a few kinds now and then, or the whole service is down.
    """
    kinds, rate = chance.sample(KINDS[cloud], chance.randint(1, 4)), chance.choice(_RATES)
    if chance.random() < 0.1:
        return {chance.choice(_DOWN): 1.0}
    return {kind: rate / len(kinds) for kind in kinds}


def _backlog(chance: random.Random, cloud: str) -> Backlog | None:
    """
    Draw a queue, or none: some hide a message for less than its worker takes.
    """
    if chance.random() < 0.3:
        return None
    return Backlog(
        hidden=chance.choice(_HIDDEN[cloud]),
        most=chance.choice((2, 3, 5)),
        twice=chance.choice((0.0, 0.0, 0.3)),
        undeleted=chance.choice((0.0, 0.0, 0.2)),
        at_once=chance.choice((1, 2, 3)),
        seconds=chance.choice(_SECONDS[cloud]),
        mortality=chance.choice((0.0, 0.3, 0.6)),
        bad_weather=chance.choice((30.0, 200.0, 3600.0)),
        spared=chance.choice(("", "queue", "registry")),
        own=chance.random() < 0.3,
    )


def _leftovers(chance: random.Random, chosen: tuple[int, ...], cloud: str) -> dict[int, str]:
    kinds = _LEFTOVERS[cloud]
    if chance.random() < 0.6:
        return {}
    return {who: chance.choice(kinds) for who in chosen if chance.random() < 0.5}


def _push(chance: random.Random, chosen: tuple[int, ...], number: int, *, queue: bool) -> Push:
    """
    Draw a push of some of *chosen*: some twice, in any order, perhaps while another one runs.
    """
    who = [w for w in chosen if chance.random() < 0.75]
    who += [w for w in who if chance.random() < 0.1]
    chance.shuffle(who)
    dies = chance.random() < 0.35
    death = Death(chance.randint(1, 5 * len(chosen) + 2), done=chance.random() < 0.5) if dies else None
    seconds = 25.0 if chance.random() < 0.7 else chance.uniform(0.1, 3)
    later = queue and chance.random() < 0.3
    at = chance.choice((0, 0, 0.02, 1, 10, 40))
    return Push(at, number % 2, tuple(who), seconds, death, later, asks=chance.random() < 0.2)


def _without(push: Push, kept: tuple[int, ...]) -> Push:
    return replace(push, who=tuple(w for w in push.who if w in kept))
