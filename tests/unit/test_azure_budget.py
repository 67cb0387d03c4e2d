"""
A quota that an operator knows is kept from the first call on, and none of it is wasted.
"""

import pytest

from firstlight.errors import SettingsError
from firstlight.registries.azure_budget import Budget, parse


def test_a_minutes_worth_is_there_at_once_and_then_it_trickles() -> None:
    """
    In the order in which it is asked for.
    """
    budget = Budget(60)

    waits = [budget.wait_for(n, now=100, deadline=1000) for n in (50, 10, 5, 5)]

    assert [0.0, 0.0, 5.0, 10.0] == waits
    assert 1.0 == budget.wait_for(1, now=110, deadline=1000)


def test_what_comes_after_the_deadline_is_not_set_aside() -> None:
    """
    Somebody else may have it.
    """
    budget = Budget(60)
    budget.wait_for(60, now=0, deadline=1000)

    assert budget.wait_for(30, now=0, deadline=25) is None
    assert 20.0 == budget.wait_for(20, now=0, deadline=25)


def test_portions_follow_what_is_left() -> None:
    """
    As much as was saved up, or what comes in ten seconds; one at least.
    """
    budget = Budget(600)
    assert 600 == budget.portion(0)
    budget.wait_for(600, now=0, deadline=1)

    assert [100, 100, 300] == [budget.portion(now) for now in (0, 5, 30)]
    assert 1 == Budget(1).portion(0)


def test_a_call_larger_than_the_quota_is_made_all_the_same() -> None:
    """
    With the next ones paying for it.
    """
    budget = Budget(6)

    assert 0.0 == budget.wait_for(10, now=0, deadline=1000)
    assert 50.0 == budget.wait_for(1, now=0, deadline=1000)


def test_a_hub_that_refuses_leaves_nothing_saved_up() -> None:
    """
    Others use it, too.
    """
    budget = Budget(60)
    budget.overdrawn(0)

    assert 2.0 == budget.wait_for(2, now=0, deadline=1000)


def test_no_setting_is_no_budget() -> None:
    """
    And spaces do not matter.
    """
    assert parse("") is None
    budget = parse(" IdentityRegistryOperations = 500 ")
    assert budget is not None
    assert 500 == budget.portion(0)


_FORM = "IdentityRegistryOperations"


@pytest.mark.parametrize(
    "text", ["500", "registry=500", _FORM, f"{_FORM}=x", f"{_FORM}=0", f"{_FORM}=-1", f"{_FORM}=1,AttachPolicy=2"]
)
def test_what_is_no_quota_of_a_hub_is_said(text: str) -> None:
    """
    With the form it has.
    """
    with pytest.raises(SettingsError, match=r"It is as in IdentityRegistryOperations=500"):
        parse(text)
