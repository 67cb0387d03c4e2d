"""
No network (see tests/offline.py), and a last word about what was injected.
"""

import pytest

from tests.faults.tally import TALLIES
from tests.offline import no_network

__all__ = ["no_network"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLIES:
        terminalreporter.section("injected faults")
        for cloud, tally in sorted(TALLIES.items()):
            terminalreporter.write_line("\n".join(tally.lines(cloud)))
