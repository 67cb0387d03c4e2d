"""
Deletes what the stacks leave behind when they are deleted, and what no stack owns.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from firstlight.lifecycle.aws_doors import Doors
from firstlight.lifecycle.aws_ours import targets
from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.aws_reading import PAGE
from firstlight.lifecycle.rows import STAYS, Became, Row

# "It can take up to five minutes after a policy is detached before it's ready to be deleted" (DetachPolicy); a thing
# type wants five minutes from its deprecation.
_PATIENCE = 360.0
_LOOKS = 10.0  # seconds between two tries


@dataclass(frozen=True)
class Leftovers:
    """
    Policies, types, groups, CAs and API Gateway's role of *place*.  Without *really* it only looks.

    *tell* hears why it takes minutes.
    """

    place: AwsPlace
    really: bool
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def deprecate(self) -> None:
        """
        Mark the thing type as going: the five minutes that AWS wants pass while devices are retired.
        """
        kind, iot = self.place.region.thing_type, self.place.iot
        if not (kind and self.really):
            return
        try:
            found = iot.describe_thing_type(thingTypeName=kind)
        except iot.exceptions.ResourceNotFoundException:
            return
        if not (found.get("thingTypeMetadata") or {}).get("deprecated"):
            iot.deprecate_thing_type(thingTypeName=kind)

    def delete(self, *, cas: bool = True) -> Iterator[Row]:
        """
        Yield a row for each thing left behind, once it is gone, or with the reason why it stays.

        Without *cas* the CAs stay: certificates that have neither thing nor policy are found by them alone.
        """
        iot, region = self.place.iot, self.place.region
        for ca in Doors(self.place, self.really).cas():
            what = f"CA {ca.subject}"
            yield self._gone(what, self._delete_ca, ca.id) if cas else Row(what, Became.UNCHANGED, STAYS)
        for name in region.thing_groups:
            members = ("list_things_in_thing_group", {"thingGroupName": name})
            yield from self._group(f"group {name}", members, iot.describe_thing_group, iot.delete_thing_group, name)
        if name := region.billing_group:
            members = ("list_things_in_billing_group", {"billingGroupName": name})
            found, delete = iot.describe_billing_group, iot.delete_billing_group
            yield from self._group(f"billing group {name}", members, found, delete, name)
        for name in self.place.policies:
            yield from self._policy(name)
        yield from self._thing_type()

    def _gone(self, what: str, delete: Callable[..., Any], *arguments: Any, **named: Any) -> Row:
        if not self.really:
            return Row(what, Became.FORESEEN, "would be deleted.")
        try:
            delete(*arguments, **named)
        except self.place.iot.exceptions.ResourceNotFoundException:
            return Row(what, Became.ABSENT)
        return Row(what, Became.DELETED)

    def _delete_ca(self, ca_id: str) -> None:
        self.place.iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
        self.place.iot.delete_ca_certificate(certificateId=ca_id)

    def _group(
        self,
        what: str,
        members: tuple[str, dict[str, str]],
        describe: Callable[..., Any],
        delete: Callable[..., Any],
        name: str,
    ) -> Iterator[Row]:
        operation, which = members
        try:
            describe(**which)
        except self.place.iot.exceptions.ResourceNotFoundException:
            return
        others = self._count(operation, **which) if self.really else 0
        if others:
            yield Row(what, Became.UNCHANGED, f"stays: {others} things in it are none of firstlight's.")
        else:
            yield self._gone(what, delete, **{next(iter(which)): name})

    def _policy(self, name: str) -> Iterator[Row]:
        iot, what = self.place.iot, f"policy {name}"
        try:
            versions = iot.list_policy_versions(policyName=name)["policyVersions"]
        except iot.exceptions.ResourceNotFoundException:
            return
        if self.really:
            if others := targets(iot, name):
                shown = ", ".join(arn.rpartition(":")[2] for arn in others[:3])
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004 -- those shown
                yield Row(what, Became.ERROR, f"it is still attached to {shown}{more}.", "Detach it, and drain again.")
                return
            for version in versions:
                if not version["isDefaultVersion"]:
                    iot.delete_policy_version(policyName=name, policyVersionId=version["versionId"])
        conflict = iot.exceptions.DeleteConflictException
        yield self._patiently(what, conflict, lambda: self._gone(what, iot.delete_policy, policyName=name))

    def _thing_type(self) -> Iterator[Row]:
        iot, kind = self.place.iot, self.place.region.thing_type
        if not kind:
            return
        what = f"thing type {kind}"
        try:
            iot.describe_thing_type(thingTypeName=kind)
        except iot.exceptions.ResourceNotFoundException:
            return
        if self.really and (others := self._count("list_things", thingTypeName=kind)):
            iot.deprecate_thing_type(thingTypeName=kind, undoDeprecate=True)
            yield Row(what, Became.UNCHANGED, f"stays: {others} things of this type are none of firstlight's.")
            return
        early = iot.exceptions.InvalidRequestException
        yield self._patiently(what, early, lambda: self._gone(what, iot.delete_thing_type, thingTypeName=kind))

    def _count(self, operation: str, **which: str) -> int:
        pages = self.place.iot.get_paginator(operation).paginate(**which, PaginationConfig=PAGE)
        return sum(len(page["things"]) for page in pages)

    def _patiently(self, what: str, refusal: type[Exception], delete: Callable[[], Row]) -> Row:
        until, told = self.clock() + _PATIENCE, False
        while True:
            try:
                return delete()
            except refusal as e:
                if self.clock() >= until:
                    reason = " ".join(str(e).partition("operation: ")[2].split()).rstrip(".")
                    return Row(
                        what, Became.ERROR, f"AWS would not delete it: {reason}.", "Drain again in some minutes."
                    )
                if not told:
                    self.tell(f"AWS takes up to five minutes until the {what} can be deleted; waiting for it.")
                    told = True
                self.sleep(_LOOKS)
