"""
The benchmarks' one command: stub cloud, self-hosted ingest and pusher, each a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(("scenario", "certificates"), [("answers lost", 400), ("answers go missing", 2000)])
def test_the_benchmarks_run_and_their_checks_hold(scenario: str, certificates: int) -> None:
    """
    One scenario of each cloud in `python -m benchmarks.run`, against the server as an operator starts it.
    """
    command = [sys.executable, "-m", "benchmarks.run", scenario, "--json"]

    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert 0 == run.returncode, run.stderr
    (line,) = run.stdout.splitlines()
    result = json.loads(line)
    assert [] == result["broken"]
    assert certificates == result["audit"]["complete"] == result["certificates"]


def test_the_queues_benchmark_runs_and_its_checks_hold() -> None:
    """
    Pushes that do not fit and the queue behind them, by the functions' own handlers, each instance a process.
    """
    command = [sys.executable, "-m", "benchmarks.queue_run", "quick", "--json"]

    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert 0 == run.returncode, run.stderr
    (line,) = run.stdout.splitlines()
    result = json.loads(line)
    assert [] == result["broken"]
    assert 200 == result["succeeded"] + result["queued"]
    assert 0 < result["queued"]
