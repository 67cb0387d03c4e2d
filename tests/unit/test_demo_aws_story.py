"""
What the demo says held on AWS, when something does not.

The laptop, the pushes and the devices are scripted here; that all of it holds in earnest is the local suite's.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from firstlight.demo import aws
from firstlight.demo.aws import AwsStory
from firstlight.demo.cast import Cast, assemble
from firstlight.demo.inventory import Inventory
from firstlight.push import Answer, Entry
from firstlight.push.asking import Status
from firstlight.verify.checks import FORBIDDEN, WANTED, Checks
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Attempt, Check, MqttVersion, Outcome, Report
from firstlight.verify.target import Target
from tests.factory import NOW

EMPTY = Inventory({}, {}, frozenset())
CLOSED = Attempt(0.1, Reason.CLOSED, "closed")
OPEN = Attempt(0.2, "", "")


def _with(*names: str) -> Inventory:
    return Inventory(dict.fromkeys(names, (1, (), ())), {}, frozenset())


def _check(name: str, version: MqttVersion = MqttVersion.V5, **changes: Any) -> Check:
    return Check(**{"name": name, "version": version, "proves": name, "outcome": Outcome.PASSED, **changes})


def _report(client_id: str, *checks: Check) -> Report:
    return Report(endpoint="localhost", port=1, client_id=client_id, certificate="", checks=checks, seconds=1.0)


def _online(client_id: str, *attempts: Attempt) -> Report:
    return _report(client_id, _check("online", attempts=attempts or (OPEN,)))


def _offline(client_id: str, reason: Reason = Reason.CLOSED) -> Report:
    failed = _check("online", outcome=Outcome.FAILED, reason=reason, attempts=(CLOSED, CLOSED))
    return _report(client_id, failed)


def _everything(client_id: str, checks: Checks) -> Report:
    names = [wanted.name for wanted in WANTED] + [forbidden.name for forbidden in checks.forbidden]
    return _report(client_id, *(_check(n, v, attempts=(OPEN,)) for v in checks.versions for n in names))


def _success(entry: Entry) -> Answer:
    return Answer(entry.ref, entry.source, Status.SUCCESS)


def _error(entry: Entry, message: str = "no") -> Answer:
    return Answer(entry.ref, entry.source, Status.ERROR, message=message)


@dataclass
class Scene:
    """
    A story whose pushes, devices and inventory do what the test says; each begins as it should be.
    """

    cast: Cast
    answer: Callable[[Entry, int], Answer] = lambda entry, _: _success(entry)
    connect: Callable[[str], Report] = _online
    examine: Callable[[str, Checks], Report] = _everything
    inventories: list[Inventory] = field(default_factory=lambda: [EMPTY])
    pushes: int = 0

    async def push(self, entries: Sequence[Entry], **_: Any) -> list[Answer]:
        self.pushes += 1
        return [self.answer(entry, self.pushes) for entry in entries]

    async def verify_many(self, targets: Sequence[Target], **_: Any) -> list[Report]:
        return [self.connect(target.client_id) for target in targets]

    async def verify_device(self, target: Target, *, checks: Checks, **_: Any) -> Report:
        return self.examine(target.client_id, checks)

    def take(self, *_: Any) -> Inventory:
        return self.inventories.pop(0) if len(self.inventories) > 1 else self.inventories[0]

    def held(self, step: str) -> list[bool]:
        """
        Play one *step* and return whether each finding of it held.
        """
        self.pushes = 0
        laptop: Any = SimpleNamespace(
            client=lambda _: None,
            ingest_url="http://localhost",
            account="123456789012",
            mqtt_host="localhost",
            mqtt_port=1,
            ca_file=None,
        )
        story = AwsStory(self.cast, laptop, [], lambda _: None)
        asyncio.run(getattr(story, step)())
        return [finding.held for finding in story.findings.findings]


@pytest.fixture(scope="module")
def cast() -> Cast:
    return assemble(NOW)


@pytest.fixture
def scene(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(cast)
    for name in ("push", "verify_many", "verify_device"):
        monkeypatch.setattr(aws, name, getattr(scene, name))
    monkeypatch.setattr(Inventory, "take", scene.take)
    return scene


def test_the_reel_is_pushed_twice_and_changes_nothing_the_second_time(scene: Scene) -> None:
    """
    One error in either push, or anything changed by the second, does not hold.
    """
    assert [True, True] == scene.held("push_twice")

    scene.inventories = [EMPTY, _with("new")]
    assert [True, False] == scene.held("push_twice")

    scene.inventories, last = [EMPTY], scene.cast.reel[-1].name
    scene.answer = lambda entry, push: _error(entry) if (entry.ref, push) == (last, 1) else _success(entry)
    assert [False, True] == scene.held("push_twice")
    scene.answer = lambda entry, push: _error(entry) if (entry.ref, push) == (last, 2) else _success(entry)
    assert [True, False] == scene.held("push_twice")


@pytest.mark.parametrize(
    ("expired", "neighbour", "other", "held"),
    [
        (False, True, "The server refuses the credentials (401): wrong audience", [True, True]),
        (True, True, "The server refuses the credentials (401): wrong audience", [False, True]),
        (False, False, "The server refuses the credentials (401): wrong audience", [False, True]),
        (False, True, "The server failed (500)", [True, False]),
        (False, True, "", [True, False]),
    ],
    ids=["refused", "expired taken", "neighbour lost", "500", "other account let in"],
)
def test_what_must_be_refused_is_refused(
    scene: Scene, *, expired: bool, neighbour: bool, other: str, held: list[bool]
) -> None:
    """
    The expired certificate alone, and another account's token with 401 and nothing else.
    """

    def answer(entry: Entry, push: int) -> Answer:
        if push == 2:
            return _error(entry, other) if other else _success(entry)
        taken = expired if entry.ref == "expired" else neighbour
        return _success(entry) if taken else _error(entry)

    scene.answer = answer

    assert held == scene.held("refuse_pushes")


@pytest.mark.parametrize("bad", [_offline, lambda name: _online(name, CLOSED, OPEN)], ids=["offline", "second connect"])
def test_every_pushed_device_is_online_at_its_first_connect(scene: Scene, bad: Callable[[str], Report]) -> None:
    """
    One that is not, or only at its second, does not hold.
    """
    assert [True] == scene.held("bring_the_reel_online")

    one = scene.cast.reel[3].name
    scene.connect = lambda name: bad(name) if name == one else _online(name)
    assert [False] == scene.held("bring_the_reel_online")


def test_every_unannounced_device_is_online_after_a_connect_that_was_closed(scene: Scene) -> None:
    """
    And has its thing; one offline, one let in at once, a thing missing or too many do not hold.
    """
    names = [device.name for device in scene.cast.unannounced]

    def second(name: str) -> Report:
        return _online(name, CLOSED, OPEN)

    def held(connect: Callable[[str], Report], *things: str) -> list[bool]:
        scene.connect, scene.inventories = connect, [_with("before"), _with("before", *things)]
        return scene.held("bring_the_unannounced_online")

    assert [True] == held(second, *names)
    assert [False] == held(lambda name: _offline(name) if name == names[0] else second(name), *names)
    assert [False] == held(lambda name: _online(name) if name == names[0] else second(name), *names)
    assert [False] == held(second, *names[1:])
    assert [False] == held(second, *names, "somebody")


@pytest.mark.parametrize("forbidden", [check.name for check in FORBIDDEN])
def test_every_trespass_is_tried_and_refused(scene: Scene, forbidden: str) -> None:
    """
    By a pushed device and by one of just-in-time provisioning, in both versions; one that works, or was not
    tried, does not hold.
    """
    assert [True, True] == scene.held("try_what_must_fail")

    trespasser = scene.cast.unannounced[0].name
    for outcome in (Outcome.FAILED, None):

        def examine(name: str, checks: Checks, outcome: Outcome | None = outcome) -> Report:
            report = _everything(name, checks)
            if name != trespasser:
                return report
            is_it = [c.name == forbidden and c.version is MqttVersion.V311 for c in report.checks]
            changed = [
                replace(c, outcome=outcome) if it and outcome else c
                for c, it in zip(report.checks, is_it, strict=True)
                if outcome or not it
            ]
            return replace(report, checks=tuple(changed))

        scene.examine = examine
        assert [True, False] == scene.held("try_what_must_fail")


def test_a_stranger_is_closed_and_leaves_nothing(scene: Scene) -> None:
    """
    Let in, failed for another reason, or registered do not hold.
    """

    def held(report: Callable[[str], Report], after: Inventory = EMPTY) -> list[bool]:
        scene.examine, scene.inventories = lambda name, _: report(name), [EMPTY, after]
        return scene.held("refuse_the_stranger")

    assert [True] == held(_offline)
    assert [False] == held(_online)
    assert [False] == held(lambda name: _offline(name, Reason.UNREACHABLE))
    assert [False] == held(_offline, _with("sensor-5"))
