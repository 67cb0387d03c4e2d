"""
What every thing is given besides its name where an operator wants it: a type, groups, a billing group.
"""

import re
from dataclasses import dataclass

from firstlight.errors import SettingsError
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_calls import AwsCalls, Turn

# ThingTypeName, ThingGroupName and BillingGroupName of the API are alike.
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_MAX_GROUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """
    The names of a thing type, thing groups and a billing group that exist already; empty means none.
    """

    thing_type: str = ""
    thing_groups: tuple[str, ...] = ()
    billing_group: str = ""

    def __post_init__(self) -> None:
        """
        Raises:
            SettingsError: AWS IoT takes no such name, or not so many groups.
        """
        for kind, name in self.named():
            if not _NAME.fullmatch(name):
                raise SettingsError(
                    f"{name[:140]!r} is no name of a {kind}.", hint="AWS IoT takes 1 to 128 of a-z A-Z 0-9 : _ -."
                )
        if len(self.thing_groups) > _MAX_GROUPS:
            raise SettingsError(
                f"{len(self.thing_groups)} thing groups are too many.", hint=f"A thing is in {_MAX_GROUPS} at most."
            )

    def named(self) -> list[tuple[str, str]]:
        """
        Return the kind and the name of each.
        """
        groups = [("thing group", name) for name in self.thing_groups]
        single = [("thing type", self.thing_type), ("billing group", self.billing_group)]
        return [(kind, name) for kind, name in single if name] + groups

    async def require(self, calls: AwsCalls, turn: Turn) -> None:
        """
        Return when all of them exist.

        Raises:
            RegistryError: one does not; or AWS refused, failed, or did not say before the deadline.
        """
        for kind, name in self.named():
            described = await calls(_ASK[kind](name), turn)
            if described.missing:
                raise aws_errors.no_such(kind, name)
            if not described.ok:
                raise aws_errors.refusal(described)


_ASK = {
    "thing type": aws_operations.describe_thing_type,
    "thing group": aws_operations.describe_thing_group,
    "billing group": aws_operations.describe_billing_group,
}

NO_EXTRAS = Extras()
