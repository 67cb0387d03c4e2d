"""
The devices of a region's stacks, and of nobody else.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from firstlight.lifecycle.aws_reading import PAGE, AwsReading
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Which
from firstlight.registries.aws_attributes import CERTIFICATE_ID

_CERTIFICATE = ":cert/"


def ours(iot: Any, policies: Sequence[str], *, at_once: int) -> Iterator[Which]:
    """
    Yield every device whose certificate has one of *policies*; then what a push or a first connect left half made.

    That is a thing with the attribute `certificateId` whose certificate has no policy at all.  One with another
    policy is of another deployment.
    """
    seen = set()
    for policy in policies:
        for target in targets(iot, policy):
            fingerprint = target.rpartition(_CERTIFICATE)[2]
            if _CERTIFICATE in target and fingerprint not in seen:
                seen.add(fingerprint)
                yield Which(fingerprint=fingerprint)
    reading = AwsReading(iot)

    def without_policy(thing: dict[str, str]) -> tuple[str, bool]:
        return thing["name"], not reading.policies_of(f"{thing['account']}{_CERTIFICATE}{thing['fingerprint']}")

    half_made = (thing for thing in _things(iot) if thing["fingerprint"] not in seen)
    yield from (Which(name=name) for name, alone in each(half_made, without_policy, at_once=at_once) if alone)


def targets(iot: Any, policy: str) -> list[str]:
    """
    Return the ARNs of all that *policy* is attached to.
    """
    try:
        pages = iot.get_paginator("list_targets_for_policy").paginate(policyName=policy, PaginationConfig=PAGE)
        return [target for page in pages for target in page["targets"]]
    except iot.exceptions.ResourceNotFoundException:
        return []


def _things(iot: Any) -> Iterator[dict[str, str]]:
    for page in iot.get_paginator("list_things").paginate(PaginationConfig=PAGE):
        for thing in page["things"]:
            fingerprint = str((thing.get("attributes") or {}).get(CERTIFICATE_ID, ""))
            if fingerprint:
                account = thing["thingArn"].partition(":thing/")[0]
                yield {"name": thing["thingName"], "account": account, "fingerprint": fingerprint}
