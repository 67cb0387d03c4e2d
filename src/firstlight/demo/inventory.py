"""
What the registry holds, to see whether something changed it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    Things with version, attributes and principals; certificates with status and date; whom the policy is attached to.
    """

    things: dict[str, tuple[int, tuple[tuple[str, str], ...], tuple[str, ...]]]
    certificates: dict[str, tuple[str, str]]
    targets: frozenset[str]

    @classmethod
    def take(cls, iot: Any, policy: str) -> "Inventory":
        """
        Read it with boto3's client *iot*.
        """
        things = {}
        for thing in _pages(iot, "list_things", "things"):
            name = thing["thingName"]
            principals = iot.list_thing_principals(thingName=name)["principals"]
            things[name] = (thing["version"], tuple(sorted(thing["attributes"].items())), tuple(sorted(principals)))
        certificates = {
            c["certificateId"]: (c["status"], str(c["creationDate"]))
            for c in _pages(iot, "list_certificates", "certificates")
        }
        targets = frozenset(_pages(iot, "list_targets_for_policy", "targets", policyName=policy))
        return cls(things, certificates, targets)

    def __str__(self) -> str:
        return f"{len(self.things)} things, {len(self.certificates)} certificates, {len(self.targets)} policies"


def _pages(iot: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in iot.get_paginator(operation).paginate(**arguments):
        yield from page[key]
