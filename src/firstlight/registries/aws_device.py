"""
The calls that make one device able to connect, and what to do when part of it is there already.

The order is a decision:

1. CreateThing claims the name (see aws_name).  First, so that of two certificates with one name
   the loser leaves nothing behind; were the certificate registered first, each loser would leave
   one ACTIVE that belongs to nothing.  AddThingToThingGroup follows where there are groups.
2. RegisterCertificateWithoutCA has the smallest quota; `pacing` keeps the devices that wait for it
   few, and with them the things whose certificate is still to come when a deadline does.
3. AttachThingPrincipal.
4. AttachPolicy comes last: an ACTIVE certificate without a policy cannot connect, so a device can
   connect exactly when all of it is there.

Every step may be repeated without harm, and what is already there counts as done: a crash between
any two leaves a device that the next push completes.
"""

from dataclasses import dataclass

from firstlight.errors import InactiveError
from firstlight.identity import DeviceIdentity
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_account import Account, Shared
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_name import Name

# How often to begin again when something vanishes between two steps: an operator deletes it, or
# AWS does not yet see everywhere what it made a moment ago.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class AwsDevice:
    """
    One device on its way into AWS IoT.
    """

    identity: DeviceIdentity
    account: Account
    calls: AwsCalls
    turn: Turn

    async def register(self) -> str:
        """
        Return the endpoint, when the device can connect to it.

        Raises:
            NameTakenError: its name belongs to another certificate.
            InactiveError: its certificate is known and not ACTIVE.
            RegistryError: AWS refused, failed, or was not done in time.
        """
        shared = self.account.shared()
        arn = shared.certificate_arn(self.identity.fingerprint)
        name = Name(self.identity, self.account, self.calls, self.turn)
        for remaining in reversed(range(_TRIES)):
            await name.claim()
            if not await self._in_its_groups(again=remaining > 0):
                continue
            await self._register_certificate()
            if await self._attached_to_thing(arn, again=remaining > 0):
                break
        await self._attach_policy(shared, arn)
        return shared.endpoint

    async def _in_its_groups(self, *, again: bool) -> bool:
        for group in self.account.extras.thing_groups:
            # Does nothing for a thing that is in the group already.
            joined = await self.calls(aws_operations.add_to_group(self.identity.name, group), self.turn)
            if joined.missing and again:
                return False
            if joined.missing:
                self.account.forget_extras()
                raise aws_errors.no_such("thing group", group)
            if not joined.ok:
                raise aws_errors.refusal(joined)
        return True

    async def _register_certificate(self) -> None:
        registered = await self.calls(aws_operations.register_certificate(self.identity.pem), self.turn)
        if registered.exists:
            # The quota of DescribeCertificate is as small, so only who is known is asked about.
            registered = await self.calls(aws_operations.describe_certificate(self.identity.fingerprint), self.turn)
            if registered.ok and registered.certificate_status != "ACTIVE":
                raise InactiveError.of(registered.certificate_status)
            if registered.missing:
                raise aws_errors.not_seen(registered)
        if not registered.ok:
            raise aws_errors.refusal(registered)

    async def _attached_to_thing(self, arn: str, *, again: bool) -> bool:
        attached = await self.calls(aws_operations.attach_principal(self.identity.name, arn), self.turn)
        if attached.missing and again:
            return False
        if attached.missing:
            raise aws_errors.not_seen(attached)
        if not attached.ok:
            raise aws_errors.refusal(attached)
        return True

    async def _attach_policy(self, shared: Shared, arn: str) -> None:
        attached = await self.calls(aws_operations.attach_policy(shared.policy_name, arn), self.turn)
        if attached.missing:
            # Deleted since it was asked for: the next push asks anew and is told before it registers anything.
            self.account.forget_policy()
            raise aws_errors.not_seen(attached)
        if not attached.ok:
            raise aws_errors.refusal(attached)
