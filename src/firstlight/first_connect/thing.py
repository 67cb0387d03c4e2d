"""
The thing of an admitted device: created, or changed as far as the template's OverrideSettings let it be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstlight.errors import JitpError
from firstlight.first_connect import operations
from firstlight.jitp.resources import Resources
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_attributes import CERTIFICATE_ID
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_operations import Call

# A thing that keeps changing under our hands is left to the next event.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class AdmittedThing:
    """
    The thing that *resources* ask for of the certificate *certificate_id*; *owned*: it may be no other's already.
    """

    resources: Resources
    certificate_id: str
    calls: AwsCalls
    turn: Turn
    owned: bool = False

    async def make(self) -> None:
        """
        Return when the thing is there, with its attributes, its type and its groups.

        Raises:
            JitpError: it exists, and the template or its owner do not let it be changed.
            RegistryError: AWS IoT refused, failed, or was not done in time.
        """
        wanted = self.resources
        for _ in range(_TRIES):
            create = aws_operations.create_thing(
                wanted.thing_name, dict(wanted.attributes), thing_type=wanted.thing_type
            )
            created = await self.calls(create, self.turn)
            if created.ok:
                # also when an earlier run came as far as this
                await self._join(wanted.thing_groups)
                break
            if not created.exists:
                raise aws_errors.refusal(created)
            if await self._changed():
                break
        else:
            raise aws_errors.unsettled(wanted.thing_name)
        if wanted.billing_group:
            await self._do(aws_operations.add_to_billing_group(wanted.thing_name, wanted.billing_group))

    async def _changed(self) -> bool:
        """
        Return whether the thing that exists is as it shall be; if not, it changed meanwhile.
        """
        wanted = self.resources
        described = await self.calls(aws_operations.describe_thing(wanted.thing_name), self.turn)
        if described.missing:
            return False
        if not described.ok:
            raise aws_errors.refusal(described)
        existing = described.document()
        attributes = {str(k): str(v) for k, v in (existing.get("attributes") or {}).items()}
        owner = attributes.get(CERTIFICATE_ID, "")
        if self.owned and await self._is_anothers(owner):
            raise JitpError(
                f"{wanted.thing_name} belongs to another certificate.",
                hint="Retire that device, or announce another name.",
            )
        update = self._update(attributes, str(existing.get("thingTypeName") or ""), int(existing.get("version", 1)))
        if update is not None:
            updated = await self.calls(update, self.turn)
            if updated.changed or updated.missing:
                return False
            if not updated.ok:
                raise aws_errors.refusal(updated)
        await self._join(self._groups(ours=owner == self.certificate_id))
        return True

    async def _is_anothers(self, owner: str) -> bool:
        if owner:
            return owner != self.certificate_id
        # Things that the reference made, or a person, do not say whose they are; who is attached does.
        listed = await self.calls(aws_operations.list_principals(self.resources.thing_name), self.turn)
        if not listed.ok and not listed.missing:
            raise aws_errors.refusal(listed)
        attached = map(str, listed.document().get("principals", ()))
        return any(not principal.endswith(f":cert/{self.certificate_id}") for principal in attached)

    def _update(self, attributes: Mapping[str, str], thing_type: str, version: int) -> Call | None:
        now = (self._attributes(attributes), self._type(thing_type))
        if now == (attributes, thing_type):
            return None
        return operations.update_thing(self.resources.thing_name, *now, version=version)

    def _attributes(self, existing: Mapping[str, str]) -> Mapping[str, str]:
        wanted = self.resources.attributes
        match self.resources.overrides.get("AttributePayload"):
            case "MERGE":
                return {**existing, **wanted}
            case "REPLACE":
                return dict(wanted)
            case "DO_NOTHING":
                return existing
            case _ if wanted == existing:
                return existing
            case _:
                raise self._conflict("attributes")

    def _type(self, existing: str) -> str:
        wanted = self.resources.thing_type
        match self.resources.overrides.get("ThingTypeName"):
            case _ if not wanted or wanted == existing:
                return existing
            case "REPLACE":
                return wanted
            case "DO_NOTHING":
                return existing
            case _:
                raise self._conflict("thing type")

    def _groups(self, *, ours: bool) -> tuple[str, ...]:
        match self.resources.overrides.get("ThingGroups"):
            # ours is what an earlier run, or a push, began
            case _ if ours or not self.resources.thing_groups:
                return self.resources.thing_groups
            case "MERGE":
                return self.resources.thing_groups
            case "DO_NOTHING":
                return ()
            case _:
                raise self._conflict("thing groups")

    async def _join(self, groups: tuple[str, ...]) -> None:
        for group in groups:
            await self._do(aws_operations.add_to_group(self.resources.thing_name, group))

    async def _do(self, call: Call) -> Any:
        answer = await self.calls(call, self.turn)
        if not answer.ok:
            raise aws_errors.refusal(answer)
        return answer

    def _conflict(self, what: str) -> JitpError:
        return JitpError(
            f"The thing {self.resources.thing_name} exists with other {what}, which the template does not override.",
            hint="Set OverrideSettings to MERGE or DO_NOTHING, or retire the thing.",
        )
