"""
What one device is now, as AWS IoT says: asked about, never changed.

The quotas of these calls are 10 to 20 a second, so the next is made only where the last leaves a question.
"""

from dataclasses import dataclass

from firstlight.inspection import Condition, Sought, Standing
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_account import Account
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_name import CERTIFICATE_ID, principals_of

_UNKNOWN = Standing(Condition.UNKNOWN)


@dataclass(frozen=True, slots=True)
class AwsInspection:
    """
    One device that is asked about.
    """

    sought: Sought
    account: Account
    calls: AwsCalls
    turn: Turn

    async def standing(self) -> Standing:
        """
        Return what the device is.

        Without a name it is READY when its certificate is ACTIVE and has the policy and a thing; with one, the
        thing has to be the one that a push would give it.

        Raises:
            RegistryError: AWS refused, failed, or had not answered when the time was over.
        """
        shared = self.account.shared()
        arn = shared.certificate_arn(self.sought.fingerprint)
        described = await self.calls(aws_operations.describe_certificate(self.sought.fingerprint), self.turn)
        if described.missing:
            return await self._without_certificate()
        if not described.ok:
            raise aws_errors.refusal(described)
        status = described.certificate_status
        missing = [] if status == "ACTIVE" else [f"certificate is {status}"]
        missing += await (self._missing_of_its_thing() if self.sought.name else self._missing_of_any_thing(arn))
        if not await self._has_policy(arn, shared.policy_name):
            missing.append(f"policy {shared.policy_name} is not attached")
        if missing:
            return Standing(Condition.INCOMPLETE, tuple(missing))
        return Standing(Condition.READY, endpoint=shared.endpoint)

    async def _without_certificate(self) -> Standing:
        """
        A push claims the name first, so the thing may be there already.
        """
        if self.sought.name and await self._owner() == self.sought.fingerprint:
            return Standing(Condition.INCOMPLETE, ("no certificate",))
        return _UNKNOWN

    async def _owner(self) -> str | None:
        """
        Return the id of the certificate that claims the thing, "" if none does; None: there is no thing.
        """
        described = await self.calls(aws_operations.describe_thing(self.sought.name), self.turn)
        if described.missing:
            return None
        if not described.ok:
            raise aws_errors.refusal(described)
        return str((described.document().get("attributes") or {}).get(CERTIFICATE_ID, ""))

    async def _missing_of_its_thing(self) -> list[str]:
        owner = await self._owner()
        if owner is None:
            return ["no thing"]
        principals = await principals_of(self.sought.name, self.calls, self.turn)
        attached = any(p.endswith(f":cert/{self.sought.fingerprint}") for p in principals)
        # As Name decides: the claim counts, or being the only one attached.
        if owner == self.sought.fingerprint or (attached and len(principals) == 1):
            return [] if attached else ["not attached to its thing"]
        if owner or (principals and not attached):
            return [f"the thing {self.sought.name} belongs to another certificate"]
        return [f"the thing {self.sought.name} is not claimed yet"] if attached else ["not attached to its thing"]

    async def _missing_of_any_thing(self, arn: str) -> list[str]:
        listed = await self.calls(aws_operations.list_principal_things(arn), self.turn)
        if not listed.ok and not listed.missing:
            raise aws_errors.refusal(listed)
        return [] if listed.document().get("things") else ["no thing"]

    async def _has_policy(self, arn: str, name: str) -> bool:
        marker = ""
        while True:
            listed = await self.calls(aws_operations.list_attached_policies(arn, marker), self.turn)
            if not listed.ok and not listed.missing:
                raise aws_errors.refusal(listed)
            page = listed.document()
            if any(policy.get("policyName") == name for policy in page.get("policies", ())):
                return True
            marker = str(page.get("nextMarker") or "")
            if not marker:
                return False
