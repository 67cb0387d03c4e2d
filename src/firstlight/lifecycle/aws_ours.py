"""
The devices of a region's stacks, and of nobody else.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.lifecycle.aws_list import below_ca
from firstlight.lifecycle.aws_reading import CERTIFICATE, PAGE, AwsReading, certificate_arn, claim
from firstlight.lifecycle.many import each
from firstlight.lifecycle.rows import Which


@dataclass(frozen=True)
class Ours:
    """
    Finds the devices of a deployment through *iot*: who has one of *policies*, or is below one of the CAs *ca_ids*.

    *revoked* leaves out certificates that are REVOKED and on no thing: they keep somebody out.
    """

    iot: Any
    policies: Sequence[str]
    ca_ids: Collection[str]
    revoked: bool
    at_once: int

    def devices(self) -> Iterator[Which]:
        """
        Yield every device whose certificate has one of the policies; then what has none at all: things with the
        attribute `certificateId` that a push left half made, and certificates below the CAs that AWS IoT registered.

        A certificate with another policy is of another deployment, and a thing that has such a one is, too.  May
        raise what botocore raises.
        """
        seen = set()
        for policy in self.policies:
            for target in targets(self.iot, policy):
                fingerprint = target.rpartition(CERTIFICATE)[2]
                if CERTIFICATE in target and fingerprint not in seen:
                    seen.add(fingerprint)
                    yield Which(fingerprint=fingerprint)
        found = (thing for thing in _things(self.iot) if thing.fingerprint not in seen)
        for thing, alone in each(found, self._without_policy, at_once=self.at_once):
            seen.add(thing.fingerprint)
            if alone:
                yield Which(name=thing.name)
        found = (one for one in self._below_cas() if one.fingerprint not in seen)
        for certificate, alone in each(found, self._without_policy, at_once=self.at_once):
            if alone:
                yield Which(fingerprint=certificate.fingerprint)

    def _without_policy(self, found: "_Found") -> "tuple[_Found, bool]":
        reading = AwsReading(self.iot)
        if reading.policies_of(found.arn):
            return found, False
        # what a thing was made for says nothing of what it has by now, and all of that would go with it
        names = (found.name,) if found.name else reading.things_of(found.fingerprint, found.arn)
        things = [thing for name in names if (thing := reading.thing(name)) is not None]
        others = [thing.certificate_arn(one) for thing in things for one in thing.attached]
        return found, not any(reading.policies_of(arn) for arn in others if arn != found.arn)

    def _below_cas(self) -> "Iterator[_Found]":
        for ca_id in self.ca_ids:
            for certificate in below_ca(self.iot, ca_id):
                if not (self.revoked and certificate["status"] == "REVOKED"):
                    yield _Found("", certificate["certificateArn"], certificate["certificateId"])


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    arn: str
    fingerprint: str


def targets(iot: Any, policy: str) -> list[str]:
    """
    Return the ARNs of all that *policy* is attached to.
    """
    try:
        pages = iot.get_paginator("list_targets_for_policy").paginate(policyName=policy, PaginationConfig=PAGE)
        return [target for page in pages for target in page["targets"]]
    except iot.exceptions.ResourceNotFoundException:
        return []


def _things(iot: Any) -> Iterator[_Found]:
    for page in iot.get_paginator("list_things").paginate(PaginationConfig=PAGE):
        for thing in page["things"]:
            if fingerprint := claim(thing.get("attributes") or {}):
                yield _Found(thing["thingName"], certificate_arn(thing["thingArn"], fingerprint), fingerprint)
