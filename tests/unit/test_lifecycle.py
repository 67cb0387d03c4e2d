"""
What the tools for a whole fleet share: quotas kept, many at once, rows.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from firstlight.cli import device_rows, output
from firstlight.errors import UsageError
from firstlight.lifecycle.many import each
from firstlight.lifecycle.pace import Pace, read_quotas
from firstlight.lifecycle.rows import Became, Row


@dataclass
class Clock:
    """
    Time that passes when somebody sleeps.
    """

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_calls_keep_to_the_quota() -> None:
    """
    A second's worth at once, then ten a second; other operations have quotas of their own.
    """
    clock = Clock()
    pace = Pace(clock=lambda: clock.now, sleep=clock.sleep)

    for _ in range(40):
        pace("UpdateCertificate")
    assert 102.9 == pytest.approx(clock.now)
    for _ in range(300):
        pace("DescribeThing")
    assert 102.9 == pytest.approx(clock.now)


def test_a_raised_quota_is_used() -> None:
    """
    As the operator says, or as many as AWS allows by default.
    """
    clock = Clock()
    pace = Pace(read_quotas(("UpdateCertificate=100, DeleteThing=500",)), clock=lambda: clock.now, sleep=clock.sleep)

    for _ in range(301):
        pace("UpdateCertificate")
    assert 102.0 == pytest.approx(clock.now)


@pytest.mark.parametrize(
    "text", ["UpdateCertificate", "UpdateCertificate=fast", "=10", "UpdateCertificate=-1", "a b=1"]
)
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no quota"):
        read_quotas((text,))


def test_many_are_done_at_once_and_answered_in_order() -> None:
    """
    Never more at once than allowed, and never read ahead further than twice that.
    """
    lock = threading.Lock()
    running: set[int] = set()
    most = 0
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    def work(number: int) -> int:
        nonlocal most
        with lock:
            running.add(number)
            most = max(most, len(running))
        with lock:
            running.remove(number)
        return number * 2

    answered = []
    for answer in each(items(), work, at_once=4):
        answered.append(answer)
        assert len(read) <= len(answered) + 8

    assert [number * 2 for number in range(100)] == answered
    assert most <= 4


def test_who_stops_listening_stops_the_work() -> None:
    """
    What is begun is finished, nothing more is begun.
    """
    done: list[int] = []
    answers = each(range(1000), lambda n: done.append(n) or n, at_once=2)

    next(answers)
    answers.close()

    assert len(done) <= 4


def test_rows_reach_a_file_while_a_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    `firstlight devices retire … > rows`: the bar is on the terminal, the rows are in the file.
    """
    monkeypatch.setattr(output, "err", Console(stderr=True, force_terminal=True))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    made = (Row(f"d{number}", Became.RETIRED) for number in range(3))

    device_rows.print_rows(device_rows.with_progress(made, total=3, doing="retiring"), as_json=True)

    assert ["d0", "d1", "d2"] == [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
