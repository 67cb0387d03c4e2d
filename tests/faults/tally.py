"""
What all runs of this process came to, for the last lines of the report.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.faults.run import Report


@dataclass
class Tally:
    """
    Of one cloud.
    """

    seeds: set[int] = field(default_factory=set)
    runs: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def add(self, seed: int, report: Report) -> None:
        self.runs += 1
        self.seeds.add(seed)
        self.calls += report.calls
        self.faults.update(report.faults)
        self.answers.update(report.answers)

    def lines(self, cloud: str) -> list[str]:
        """
        Return what to print.
        """
        faults = ", ".join(f"{kind} {n}" for kind, n in self.faults.most_common())
        answers = ", ".join(f"{code} {n}" for code, n in self.answers.most_common())
        return [
            f"{cloud}: {len(self.seeds)} seeds, {self.calls} calls, {self.faults.total()} injected faults",
            f"  faults: {faults}",
            f"  answers: {answers}",
        ]


TALLIES: dict[str, Tally] = {}


def tally(cloud: str) -> Tally:
    """
    Return the tally of *cloud*.
    """
    return TALLIES.setdefault(cloud, Tally())
