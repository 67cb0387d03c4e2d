"""
Who owns a name: the certificate whose id the thing of that name carries as an attribute.

AWS IoT creates a thing once; asked again with the same attributes it says yes, with others 409.  So
CreateThing is an atomic claim, and no certificate is attached to a thing that another one claims.
"""

import re
from dataclasses import dataclass
from typing import Any

from firstlight.errors import NameTakenError
from firstlight.identity import DeviceIdentity
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_calls import AwsCalls, Turn

# The thing's attributes.  The reference sets the first only.
SERIAL_NUMBER = "serialNumber"
CERTIFICATE_ID = "certificateId"

_LEGAL = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
# A thing that keeps changing under our hands is left to the next push.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Name:
    """
    The name of one device, and the certificate that wants it.
    """

    identity: DeviceIdentity
    calls: AwsCalls
    turn: Turn

    async def claim(self) -> None:
        """
        Return when the thing exists and is this certificate's.

        Raises:
            NameTakenError: it is another's.
            RegistryError: AWS IoT takes no such name; or AWS refused, failed, or was not done in time.
        """
        name, attributes = self.identity.name, self._attributes()
        if not _LEGAL.fullmatch(name):
            raise aws_errors.illegal_name(name)
        for _ in range(_TRIES):
            created = await self.calls(aws_operations.create_thing(name, attributes), self.turn)
            if created.ok:
                return
            if not created.exists:
                raise aws_errors.refusal(created)
            if await self._is_ours():
                return
        raise aws_errors.unsettled(name)

    def _attributes(self) -> dict[str, str]:
        return {SERIAL_NUMBER: self.identity.serial, CERTIFICATE_ID: self.identity.fingerprint}

    async def _is_ours(self) -> bool:
        """
        Return whether the thing that exists is this certificate's, or is made so; if not, it changed meanwhile.
        """
        described = await self.calls(aws_operations.describe_thing(self.identity.name), self.turn)
        if described.missing:
            return False
        if not described.ok:
            raise aws_errors.refusal(described)
        thing = described.document()
        owner = str((thing.get("attributes") or {}).get(CERTIFICATE_ID, ""))
        if owner == self.identity.fingerprint:
            # An operator gave the thing another attribute, a type or a billing group.
            return True
        principals = await principals_of(self.identity.name, self.calls, self.turn)
        mine = [p for p in principals if p.endswith(f":cert/{self.identity.fingerprint}")]
        if mine and len(mine) == len(principals):
            # Attached by the reference, by just-in-time provisioning or by hand.
            return True
        if not await self._may_be_taken(owner, attached=bool(mine), to_others=len(mine) < len(principals)):
            raise NameTakenError.of(self.identity.name)
        return await self._took_over(thing)

    async def _may_be_taken(self, owner: str, *, attached: bool, to_others: bool) -> bool:
        if to_others:
            # The reference attached both of two certificates with one serial; the first to be pushed keeps the name.
            return attached and not owner
        # A claim ends when its certificate is revoked: then no push will ever attach it.
        return not owner or await self._has_given_up(owner)

    async def _took_over(self, thing: dict[str, Any]) -> bool:
        attributes = self._attributes()
        if SERIAL_NUMBER in (thing.get("attributes") or {}):
            del attributes[SERIAL_NUMBER]
        # Of two that want the thing at once, one finds its version changed.
        version = int(thing.get("version", 1))
        merge = aws_operations.merge_attributes(self.identity.name, attributes, version=version)
        merged = await self.calls(merge, self.turn)
        if merged.changed or merged.missing:
            return False
        if not merged.ok:
            raise aws_errors.refusal(merged)
        return True

    async def _has_given_up(self, certificate_id: str) -> bool:
        described = await self.calls(aws_operations.describe_certificate(certificate_id), self.turn)
        if described.missing:
            # Another process may be about to register it, so the name is not free.
            raise aws_errors.claimed_by_nobody(self.identity.name)
        return described.ok and described.certificate_status == "REVOKED"


async def principals_of(thing: str, calls: AwsCalls, turn: Turn) -> list[str]:
    """
    Return the ARNs of all that is attached to *thing*; nothing is if there is no such thing.
    """
    found: list[str] = []
    token = ""
    while True:
        listed = await calls(aws_operations.list_principals(thing, token), turn)
        if not listed.ok and not listed.missing:
            raise aws_errors.refusal(listed)
        page = listed.document()
        found += map(str, page.get("principals", ()))
        token = str(page.get("nextToken") or "")
        if not token:
            return found
