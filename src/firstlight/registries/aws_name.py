"""
Who owns a name: the certificate whose id the thing of that name carries as an attribute.

AWS IoT creates a thing once; asked again with the same attributes it says yes, with others 409.  So
CreateThing is an atomic claim, and no certificate is attached to a thing that another one claims.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstlight.errors import NameTakenError, RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_account import Account
from firstlight.registries.aws_attributes import CERTIFICATE_ID, attributes_of, claim_of
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_pages import pages

_LEGAL = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
# A thing that keeps changing under our hands is left to the next push.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Name:
    """
    The name of one device, and the certificate that wants it.

    A thing that is there keeps what it has: attributes, type and billing group are added where it has none.
    """

    identity: DeviceIdentity
    account: Account
    calls: AwsCalls
    turn: Turn

    async def claim(self) -> None:
        """
        Return when the thing exists and is this certificate's.

        Raises:
            NameTakenError: it is another's.
            RegistryError: AWS IoT takes no such name or attribute; or AWS refused, failed, or was not done in time.
        """
        name, extras = self.identity.name, self.account.extras
        create = aws_operations.create_thing(
            name,
            _legal_attributes(self.identity, thing_type=extras.thing_type),
            thing_type=extras.thing_type,
            billing_group=extras.billing_group,
        )
        for _ in range(_TRIES):
            created = await self.calls(create, self.turn)
            if created.ok:
                return
            if created.missing:
                # They were there when the process began.
                self.account.forget_extras()
            if not created.exists:
                raise aws_errors.refusal(created)
            if await self._is_ours():
                return
        raise aws_errors.unsettled(name)

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
        owner = owner_of(thing)
        if owner == self.identity.fingerprint:
            # An operator gave the thing another attribute, a type or a billing group; or asks for them now.
            return await self._completed(thing)
        principals = await principals_of(self.identity.name, self.calls, self.turn)
        mine = [p for p in principals if p.endswith(f":cert/{self.identity.fingerprint}")]
        if mine and len(mine) == len(principals):
            # Attached by the reference, by just-in-time provisioning or by hand.
            return await self._completed(thing)
        if not await self._may_be_taken(owner, attached=bool(mine), to_others=len(mine) < len(principals)):
            raise NameTakenError.of(self.identity.name)
        return await self._completed(thing, claim=True)

    async def _may_be_taken(self, owner: str, *, attached: bool, to_others: bool) -> bool:
        if to_others:
            # The reference attached both of two certificates with one serial; the first to be pushed keeps the name.
            return attached and not owner
        # A claim ends when its certificate is revoked: then no push will ever attach it.
        return not owner or await self._has_given_up(owner)

    async def _completed(self, thing: dict[str, Any], *, claim: bool = False) -> bool:
        """
        Give the thing what it lacks, and the *claim* whoever had it; return False if it changed meanwhile.
        """
        present, own, extras = thing.get("attributes") or {}, claim_of(self.identity), self.account.extras
        wanted = attributes_of(self.identity, thing_type=extras.thing_type)
        added = {n: v for n, v in wanted.items() if n not in own and n not in present}
        if claim:
            added |= {n: v for n, v in own.items() if n == CERTIFICATE_ID or n not in present}
        kind = "" if thing.get("thingTypeName") else extras.thing_type
        if (added or kind) and not await self._merged(added, kind, version=int(thing.get("version", 1))):
            return False
        if extras.billing_group and not thing.get("billingGroupName"):
            return await self._joined_billing_group(extras.billing_group)
        return True

    async def _merged(self, attributes: dict[str, str], thing_type: str, *, version: int) -> bool:
        # Of two that want the thing at once, one finds its version changed.
        merge = aws_operations.merge_thing(self.identity.name, attributes, version=version, thing_type=thing_type)
        merged = await self.calls(merge, self.turn)
        if merged.changed or merged.missing:
            return False
        if not merged.ok:
            raise aws_errors.refusal(merged)
        return True

    async def _joined_billing_group(self, group: str) -> bool:
        joined = await self.calls(aws_operations.add_to_billing_group(self.identity.name, group), self.turn)
        if joined.missing:
            self.account.forget_extras()
        if not joined.ok:
            raise aws_errors.refusal(joined)
        return True

    async def _has_given_up(self, certificate_id: str) -> bool:
        described = await self.calls(aws_operations.describe_certificate(certificate_id), self.turn)
        if described.missing:
            # Another process may be about to register it, so the name is not free.
            raise aws_errors.claimed_by_nobody(self.identity.name)
        return described.ok and described.certificate_status == "REVOKED"


def refusal(identity: DeviceIdentity, *, thing_type: str = "") -> RegistryError | None:
    """
    Return why AWS IoT takes *identity* as no thing of *thing_type*, whenever it is asked; None if it may.
    """
    try:
        _legal_attributes(identity, thing_type=thing_type)
    except RegistryError as e:
        return e
    return None


def _legal_attributes(identity: DeviceIdentity, *, thing_type: str) -> dict[str, str]:
    if not _LEGAL.fullmatch(identity.name):
        raise aws_errors.illegal_name(identity.name)
    return attributes_of(identity, thing_type=thing_type)


def owner_of(thing: Mapping[str, Any]) -> str:
    """
    Return the id of the certificate that claims *thing*, a DescribeThing answer; "" if none does.
    """
    return str((thing.get("attributes") or {}).get(CERTIFICATE_ID, ""))


async def principals_of(thing: str, calls: AwsCalls, turn: Turn) -> list[str]:
    """
    Return the ARNs of all that is attached to *thing*; nothing is if there is no such thing.
    """
    found: list[str] = []
    async for page in pages(lambda token: aws_operations.list_principals(thing, token), "nextToken", calls, turn):
        found += map(str, page.get("principals", ()))
    return found
