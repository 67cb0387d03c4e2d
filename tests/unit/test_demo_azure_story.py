"""
What the demo says held on Azure, when something does not.

The laptop, the pushes and the devices are scripted here; that all of it holds in earnest is the local suite's.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firstlight.demo import azure
from firstlight.demo.azure import AzureStory
from firstlight.demo.cast import Cast, assemble
from firstlight.demo.findings import Findings
from firstlight.push import Answer, Entry
from firstlight.push.asking import Status
from firstlight.verify.azure_checks import AzureChecks
from firstlight.verify.azure_target import AzureTarget
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Check, MqttVersion, Outcome, Report
from tests.factory import NOW


def _check(name: str, outcome: Outcome = Outcome.PASSED, reason: str = "") -> Check:
    return Check(name=name, version=MqttVersion.V311, proves=name, outcome=outcome, reason=reason)


def _report(name: str, *checks: Check) -> Report:
    return Report(endpoint="h", port=1, client_id=name, certificate="", checks=checks, seconds=1.0)


def _online(name: str) -> Report:
    return _report(name, _check("online"))


def _refused(name: str, reason: str) -> Report:
    return _report(name, _check("online", Outcome.FAILED, reason))


def _examined(target: AzureTarget, checks: AzureChecks, stranger: str) -> Report:
    """
    Return what a target is found to be when all is well.
    """
    if checks.must_fail:
        steps = checks.forbidden(through_dps=bool(target.id_scope))
        return _report(target.name, _check("online"), *(_check(step.name) for step in steps))
    return _refused(target.name, Reason.CA if target.name == stranger else Reason.CHAIN)


def _success(entry: Entry) -> Answer:
    return Answer(entry.ref, entry.source, Status.SUCCESS)


def _error(entry: Entry, message: str = "no") -> Answer:
    return Answer(entry.ref, entry.source, Status.ERROR, message=message)


@dataclass
class Scene:
    """
    A story whose pushes, devices and hub do what the test says; each begins as it should be.
    """

    cast: Cast
    answer: Callable[[Entry, int], Answer] = lambda entry, _: _success(entry)
    connect: Callable[[str], Report] = _online
    examine: Callable[[AzureTarget, Report], Report] = lambda _, report: report
    # What the hub says of a device, before the second push and after it.
    known: list[Any] = field(default_factory=lambda: ["as it was", "as it was"])
    pushes: int = 0

    async def push(self, entries: Sequence[Entry], **_: Any) -> list[Answer]:
        self.pushes += 1
        return [self.answer(entry, self.pushes) for entry in entries]

    async def verify_many(self, targets: Sequence[AzureTarget], **_: Any) -> list[Report]:
        return [self.connect(target.name) for target in targets]

    async def verify_device(self, target: AzureTarget, *, checks: AzureChecks, **_: Any) -> Report:
        return self.examine(target, _examined(target, checks, self.cast.stranger.name))

    async def look_up(self, _: str, name: str) -> Any:
        return self.known[self.pushes - 1]

    def held(self, step: str, folder: Path) -> list[bool]:
        """
        Play one *step* and return whether each finding of it held.
        """
        self.pushes = 0
        (folder / "ca.pem").write_text(self.cast.device_root.certificate.pem)
        laptop: Any = SimpleNamespace(
            subscription="a subscription",
            hub="hub.example",
            id_scope="0ne00000001",
            proxy_url="http://127.0.0.1:1",
            ca_file=folder / "ca.pem",
        )
        story = AzureStory(self.cast, laptop, [], folder, Findings())
        story.service = self  # type: ignore[assignment]
        asyncio.run(getattr(story, step)())
        return [finding.held for finding in story.findings.findings]


@pytest.fixture(scope="module")
def cast() -> Cast:
    return assemble(NOW)


@pytest.fixture
def scene(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(cast)
    for name in ("push", "verify_many", "verify_device"):
        monkeypatch.setattr(azure, name, getattr(scene, name))
    return scene


def test_the_reel_is_pushed_twice_and_changes_nothing_the_second_time(scene: Scene, tmp_path: Path) -> None:
    """
    One error in either push, an identity that is not there, or one that changed does not hold.
    """
    assert [True, True] == scene.held("push_twice", tmp_path)

    scene.known = ["as it was", "another"]
    assert [True, False] == scene.held("push_twice", tmp_path)
    scene.known = [None, None]
    assert [True, False] == scene.held("push_twice", tmp_path)

    scene.known, last = ["as it was"] * 2, scene.cast.reel[-1].name
    scene.answer = lambda entry, push: _error(entry) if (entry.ref, push) == (last, 1) else _success(entry)
    assert [False, True] == scene.held("push_twice", tmp_path)
    scene.answer = lambda entry, push: _error(entry) if (entry.ref, push) == (last, 2) else _success(entry)
    assert [True, False] == scene.held("push_twice", tmp_path)


@pytest.mark.parametrize(
    ("expired", "neighbour", "other", "held"),
    [
        (False, True, "The server refuses the credentials (401): wrong audience", [True, True]),
        (True, True, "The server refuses the credentials (401): wrong audience", [False, True]),
        (False, False, "The server refuses the credentials (401): wrong audience", [False, True]),
        (False, True, "The server failed (500)", [True, False]),
        (False, True, "", [True, False]),
    ],
    ids=["refused", "expired taken", "neighbour lost", "500", "other subscription let in"],
)
def test_what_must_be_refused_is_refused(
    scene: Scene, tmp_path: Path, *, expired: bool, neighbour: bool, other: str, held: list[bool]
) -> None:
    """
    The expired certificate alone, and another subscription's token with 401 and nothing else.
    """

    def answer(entry: Entry, push: int) -> Answer:
        if push == 2:
            return _error(entry, other) if other else _success(entry)
        return _success(entry) if (expired if entry.ref == "expired" else neighbour) else _error(entry)

    scene.answer = answer

    assert held == scene.held("refuse_pushes", tmp_path)


def test_every_device_is_online(scene: Scene, tmp_path: Path) -> None:
    """
    One that is not does not hold, pushed or through DPS.
    """
    pushed = scene.cast.reel[3].certificate.serial
    assert [True, True] == scene.held("bring_online", tmp_path)

    scene.connect = lambda name: _refused(name, Reason.CLOSED) if name.endswith(pushed) else _online(name)
    assert [False, True] == scene.held("bring_online", tmp_path)

    unannounced = scene.cast.unannounced[3].name
    scene.connect = lambda name: _refused(name, Reason.CLOSED) if name == unannounced else _online(name)
    assert [True, False] == scene.held("bring_online", tmp_path)


def test_every_trespass_is_tried_and_refused(scene: Scene, tmp_path: Path) -> None:
    """
    One that works, or was not tried, does not hold, nor does a device that can do nothing; pushed and just in time.
    """
    assert [True] * 4 == scene.held("refuse", tmp_path)

    def worked(_: AzureTarget, report: Report) -> Report:
        *before, last = report.checks
        return replace(report, checks=(*before, replace(last, outcome=Outcome.FAILED))) if before else report

    def untried(_: AzureTarget, report: Report) -> Report:
        return replace(report, checks=report.checks[:-1]) if len(report.checks) > 1 else report

    def dead(_: AzureTarget, report: Report) -> Report:
        online, *others = report.checks
        return replace(report, checks=(replace(online, outcome=Outcome.FAILED), *others)) if others else report

    for examine in (worked, untried, dead):
        scene.examine = examine
        assert [False, False, True, True] == scene.held("refuse", tmp_path)


def test_a_leaf_alone_and_a_stranger_are_refused_for_what_they_are(scene: Scene, tmp_path: Path) -> None:
    """
    Let in, or failed for another reason, do not hold.
    """

    def with_reason(name: str, reason: str) -> Callable[[AzureTarget, Report], Report]:
        def examine(target: AzureTarget, report: Report) -> Report:
            if target.name != name or len(report.checks) > 1:
                return report
            return _refused(name, reason) if reason else _online(name)

        return examine

    device, stranger = scene.cast.unannounced[0].name, scene.cast.stranger.name
    for reason in ("", Reason.UNREACHABLE):
        scene.examine = with_reason(device, reason)
        assert [True, True, False, True] == scene.held("refuse", tmp_path)
        scene.examine = with_reason(stranger, reason)
        assert [True, True, True, False] == scene.held("refuse", tmp_path)
