"""
The suite sees what it is there to see: firstlight broken on purpose, each break found within a few hundred seeds.
"""

from collections.abc import Callable

import pytest

from tests.faults import breaks_of_aws, breaks_of_azure, breaks_of_core, breaks_of_queues
from tests.faults.plan import Case
from tests.faults.run import run

Break = Callable[[pytest.MonkeyPatch], None]
_MOST = 1500
_OF_ALL = breaks_of_core.BREAKS | breaks_of_queues.BREAKS
_BREAKS: dict[str, dict[str, Break]] = {
    "aws": _OF_ALL | breaks_of_aws.BREAKS | breaks_of_queues.SQS_BREAKS,
    "azure": _OF_ALL | breaks_of_azure.BREAKS | breaks_of_queues.STORAGE_BREAKS,
}
EACH = [
    pytest.param(cloud, break_it, id=f"{cloud}: {name}")
    for cloud, breaks in _BREAKS.items()
    for name, break_it in breaks.items()
]


@pytest.mark.parametrize(("cloud", "break_it"), EACH)
def test_a_broken_firstlight_is_found_out(cloud: str, break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Some seed finds it; without the break none of them does (test_runs).
    """
    break_it(monkeypatch)

    found = first_finding(cloud)

    assert found
    # The break is meant to be found, not a mistake in it.
    assert "bug of firstlight" not in found
    assert "fell over" not in found


def first_finding(cloud: str) -> str:
    """
    Return what the first seed that fails has to say, "" if none does.
    """
    for seed in range(_MOST):
        if wrong := run(Case(seed), cloud).wrong:
            return f"seed {seed}: {wrong[0]}"
    return ""
