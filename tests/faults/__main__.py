"""
Replay a run, or try many new ones: `python -m tests.faults aws --seed N`, `python -m tests.faults aws --runs 10000`.
"""

import argparse
import random
import sys

from tests.faults.plan import Case
from tests.faults.run import CLOUDS, run
from tests.faults.tally import Tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("cloud", choices=CLOUDS)
    parser.add_argument("--seed", type=int, help="run this seed alone and print its journal, call by call")
    parser.add_argument("--runs", type=int, default=1000, help="without a seed: how many seeds to try, drawn anew")
    default = Case(0)
    parser.add_argument(
        "--devices", type=int, default=default.devices, help="keep the first so many of the run's devices"
    )
    parser.add_argument("--pushes", type=int, default=default.pushes, help="keep the first so many of its pushes")
    parser.add_argument("--faults", type=int, default=default.faults, help="inject no more faults than these")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _replay(Case(asked.seed, asked.devices, asked.pushes, asked.faults), asked.cloud)
    return _explore(asked.cloud, asked.runs)


def _replay(case: Case, cloud: str) -> int:
    report = run(case, cloud, keep_journal=True)
    print("\n".join(report.journal))  # noqa: T201 -- a command
    print("\n".join(["", *report.wrong] if report.wrong else ["", "every promise was kept"]))  # noqa: T201 -- as above
    return 1 if report.wrong else 0


def _explore(cloud: str, runs: int) -> int:
    tally, broken = Tally(), 0
    for _ in range(runs):
        case = Case(random.getrandbits(32))
        report = run(case, cloud)
        tally.add(case.seed, report)
        if report.wrong:
            broken += 1
            print("\n".join([case.command(cloud), *(f"  {what}" for what in report.wrong)]))  # noqa: T201 -- as above
    print("\n".join(tally.lines(cloud)))  # noqa: T201 -- as above
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
