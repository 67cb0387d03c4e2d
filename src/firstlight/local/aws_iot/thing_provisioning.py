"""
The thing of a JITP run: created, or changed as far as OverrideSettings let it be, and put into its groups.
"""

from dataclasses import replace

from firstlight.errors import JitpError
from firstlight.jitp.meaning import Resources
from firstlight.local.aws_iot.registry import RegisteredThing, Registry
from firstlight.policies.place import Place
from firstlight.policies.role import AssumedRole


class ThingRun:
    """
    Makes the registry have the thing that *resources* ask for, doing only what *role* may do.
    """

    def __init__(self, resources: Resources, role: AssumedRole, registry: Registry, place: Place) -> None:
        self._resources = resources
        self._role = role
        self._registry = registry
        self._place = place
        self._arn = place.iot(f"thing/{resources.thing_name}")

    def run(self) -> tuple[str, ...]:
        """
        Return what this laptop could not do as AWS does.

        Raises:
            JitpError: something the template names does not exist, it conflicts, or the role may not.
        """
        wanted = self._resources
        self._require_what_is_named()
        self._role.require("iot:DescribeThing", self._arn)
        existing = self._registry.thing(wanted.thing_name)
        if existing is None:
            self._role.require("iot:CreateThing", self._arn)
            self._registry.create_thing(
                RegisteredThing(name=wanted.thing_name, attributes=wanted.attributes, type_name=wanted.thing_type)
            )
            self._join(wanted.thing_groups)
        else:
            self._change(existing)
        return self._join_billing_group(wanted.billing_group) if wanted.billing_group else ()

    def attach(self, certificate_arn: str) -> None:
        """
        Attach the certificate to the thing.
        """
        self._role.require("iot:AttachThingPrincipal", self._arn, certificate_arn)
        self._registry.attach_certificate(self._resources.thing_name, certificate_arn)

    def _require_what_is_named(self) -> None:
        type_name = self._resources.thing_type
        if type_name:
            self._role.require("iot:DescribeThingType", self._place.iot(f"thingtype/{type_name}"))
            if not self._registry.has_thing_type(type_name):
                raise JitpError(f"The thing type {type_name}, which the template names, does not exist.")
        for group in self._resources.thing_groups:
            self._role.require("iot:DescribeThingGroup", self._place.iot(f"thinggroup/{group}"))
            if not self._registry.has_thing_group(group):
                raise JitpError(f"The thing group {group}, which the template names, does not exist.")

    def _change(self, existing: RegisteredThing) -> None:
        changed = replace(existing, attributes=self._attributes(existing), type_name=self._type(existing))
        groups_now = self._groups_now()
        groups = self._groups(groups_now)
        if changed != existing:
            self._role.require("iot:UpdateThing", self._arn)
            self._registry.update_thing(changed)
        self._join(tuple(g for g in groups if g not in groups_now))
        for group in (g for g in groups_now if g not in groups):
            self._role.require("iot:RemoveThingFromThingGroup", self._arn, self._place.iot(f"thinggroup/{group}"))
            self._registry.leave_group(existing.name, group)

    def _attributes(self, existing: RegisteredThing) -> dict[str, str]:
        now, wanted = dict(existing.attributes), dict(self._resources.attributes)
        if not wanted or wanted == now:
            return now
        match self._resources.overrides.get("AttributePayload"):
            case "REPLACE":
                return wanted
            case "MERGE":
                return now | wanted
            case "DO_NOTHING":
                return now
            case _:
                raise self._conflict("attributes")

    def _type(self, existing: RegisteredThing) -> str:
        wanted = self._resources.thing_type
        if not wanted or wanted == existing.type_name:
            return existing.type_name
        match self._resources.overrides.get("ThingTypeName"):
            case "REPLACE":
                return wanted
            case "DO_NOTHING":
                return existing.type_name
            case _:
                raise self._conflict("thing type")

    def _groups_now(self) -> tuple[str, ...]:
        if not self._resources.thing_groups or self._resources.overrides.get("ThingGroups") == "DO_NOTHING":
            return ()
        self._role.require("iot:ListThingGroupsForThing", self._arn)
        return self._registry.groups_of(self._resources.thing_name)

    def _groups(self, now: tuple[str, ...]) -> tuple[str, ...]:
        wanted = self._resources.thing_groups
        match self._resources.overrides.get("ThingGroups"):
            case "DO_NOTHING":
                return ()
            case "REPLACE":
                return wanted
            case "MERGE":
                return (*now, *wanted)
            case _ if not wanted or set(wanted) == set(now):
                return now
            case _:
                raise self._conflict("thing groups")

    def _join(self, groups: tuple[str, ...]) -> None:
        for group in groups:
            self._role.require("iot:AddThingToThingGroup", self._arn, self._place.iot(f"thinggroup/{group}"))
            self._registry.join_group(self._resources.thing_name, group)

    def _join_billing_group(self, group: str) -> tuple[str, ...]:
        arn = self._place.iot(f"billinggroup/{group}")
        self._role.require("iot:DescribeBillingGroup", arn)
        self._role.require("iot:AddThingToBillingGroup", self._arn, arn)
        exists = self._registry.has_billing_group(group)
        if exists is None:
            return (f"the laptop AWS has no billing groups, so {group} was left out",)
        if not exists:
            raise JitpError(f"The billing group {group}, which the template names, does not exist.")
        self._registry.join_billing_group(self._resources.thing_name, group)
        return ()

    def _conflict(self, what: str) -> JitpError:
        return JitpError(
            f"The thing {self._resources.thing_name} exists with other {what}, which the template does not override.",
            hint="Set OverrideSettings to REPLACE, MERGE or DO_NOTHING, or retire the thing.",
        )
