"""
What drain does when AWS is not ready, or somebody else's things are in the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from firstlight.errors import UsageError
from firstlight.lifecycle.aws_leftovers import Leftovers
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.rows import Became
from firstlight.regions import AwsRegion


class NotFoundError(Exception):
    pass


class ConflictError(Exception):
    """
    Of a policy that AWS still believes to be attached.
    """

    def __str__(self) -> str:
        return "An error occurred (DeleteConflictException) when calling the DeletePolicy operation: It is attached."


class EarlyError(Exception):
    """
    Of a thing type that was deprecated a moment ago.
    """


class _Exceptions:
    ClientError = NotFoundError
    ResourceNotFoundException = NotFoundError
    DeleteConflictException = ConflictError
    InvalidRequestException = EarlyError


@dataclass
class SlowIot:
    """
    AWS IoT with one policy of two versions, a type and a group; deleting works after *minutes*.
    """

    minutes: float
    now: float = 0.0
    members: int = 0
    typed: int = 0
    calls: list[str] = field(default_factory=list)
    exceptions: Any = _Exceptions

    def get_paginator(self, operation: str) -> Any:
        things = {"list_things_in_thing_group": self.members, "list_things": self.typed}.get(operation, 0)
        page: dict[str, Any] = {
            "certificates": [],
            "targets": [],
            "StackResourceSummaries": [],
            "things": [{}] * things,
        }
        return SimpleNamespace(paginate=lambda **_: iter([page]))

    def list_policy_versions(self, *, policyName: str) -> Any:  # noqa: N803 -- as boto3 has it
        if policyName != "FirstlightDevice":
            raise NotFoundError
        return {"policyVersions": [{"versionId": "1", "isDefaultVersion": False}, {"isDefaultVersion": True}]}

    def delete_policy(self, **_: str) -> None:
        self._when_ready(ConflictError)
        self.calls.append("delete_policy")

    def delete_thing_type(self, **_: str) -> None:
        self._when_ready(EarlyError)
        self.calls.append("delete_thing_type")

    def __getattr__(self, name: str) -> Any:
        def call(**_: object) -> dict[str, Any]:
            self.calls.append(name)
            return {}

        return call

    def _when_ready(self, refusal: type[Exception]) -> None:
        if self.now < self.minutes * 60:
            raise refusal

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def drained(iot: SlowIot) -> tuple[dict[str, Became], list[str]]:
    """
    Return what each leftover became, and what was told meanwhile.
    """
    told: list[str] = []
    region = AwsRegion(name="eu-west-1", thing_type="sensor", thing_groups=("north",))
    place = AwsPlace(region, lambda _: iot)
    left = Leftovers(place, really=True, tell=told.append, clock=lambda: iot.now, sleep=iot.sleep)
    rows: Iterator[Any] = left.delete()
    return {row.name: row.became for row in rows}, told


def test_the_five_minutes_are_waited_for() -> None:
    """
    A policy may be deleted some minutes after it was detached, a type some minutes after it was deprecated.
    """
    iot = SlowIot(minutes=4.5)

    became, told = drained(iot)

    assert {Became.DELETED} == set(became.values())
    assert {"group north", "policy FirstlightDevice", "thing type sensor"} == set(became)
    assert "AWS takes up to five minutes until the policy FirstlightDevice can be deleted; waiting for it." in told
    assert iot.calls.index("delete_policy_version") < iot.calls.index("delete_policy")


def test_another_account_is_not_drained() -> None:
    """
    A region that regions.toml pins to an account, and credentials of another one.
    """
    sts = SimpleNamespace(get_caller_identity=lambda: {"Account": "222222222222"})
    pinned = AwsPlace(AwsRegion(name="eu-west-1", account="111111111111"), lambda _: sts)

    with pytest.raises(UsageError, match="belongs to the account 111111111111; these credentials are 222222222222's"):
        pinned.require_account()


def test_waiting_ends() -> None:
    """
    Then it is an ERROR with AWS's reason, and the rest is done all the same.
    """
    became, _ = drained(SlowIot(minutes=60))

    assert Became.ERROR is became["policy FirstlightDevice"]
    assert Became.DELETED is became["group north"]


def test_what_other_things_use_stays() -> None:
    """
    A group with a stranger in it, a type with a thing of it: the type is given back its life.
    """
    iot = SlowIot(minutes=0, members=2, typed=1)

    became, _ = drained(iot)

    assert (Became.UNCHANGED, Became.UNCHANGED) == (became["group north"], became["thing type sensor"])
    assert "deprecate_thing_type" in iot.calls
    assert not {"delete_thing_group", "delete_thing_type"} & set(iot.calls)
