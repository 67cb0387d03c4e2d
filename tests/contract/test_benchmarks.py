"""
The benchmarks' one command: stub cloud, self-hosted ingest and pusher, each a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_the_benchmarks_run_and_their_checks_hold() -> None:
    """
    One scenario of `python -m benchmarks.run`, against the server as an operator starts it.
    """
    command = [sys.executable, "-m", "benchmarks.run", "answers lost", "--json"]

    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert 0 == run.returncode, run.stderr
    (line,) = run.stdout.splitlines()
    result = json.loads(line)
    assert [] == result["broken"]
    assert 400 == result["audit"]["complete"] == result["certificates"]
