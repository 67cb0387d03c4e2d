"""
What one device is now, as AWS IoT says: asked about, never changed.

The quotas of these calls are 10 to 20 a second, so the next is made only where the last leaves a question.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstlight import certificates
from firstlight.errors import CertificateError
from firstlight.inspection import Condition, Sought, Standing
from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_account import Account
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_name import owner_of, principals_of
from firstlight.registries.aws_pages import pages

_NOT_ATTACHED = "not attached to its thing"
_UNKNOWN = Standing(Condition.UNKNOWN)


@dataclass(frozen=True, slots=True)
class AwsInspection:
    """
    One device that is asked about at *now* (aware).
    """

    sought: Sought
    account: Account
    calls: AwsCalls
    turn: Turn
    now: datetime

    async def standing(self) -> Standing:
        """
        Return what the device is.

        Without a name it is READY when its certificate is ACTIVE, in its validity, and has the policy and a thing;
        with one, the thing has to be the one that a push would give it.

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
        missing += self._out_of_validity(described)
        missing += await (self._missing_of_its_thing() if self.sought.name else self._missing_of_any_thing(arn))
        if not await self._has_policy(arn, shared.policy_name):
            missing.append(f"policy {shared.policy_name} is not attached")
        if missing:
            return Standing(Condition.INCOMPLETE, tuple(missing))
        return Standing(Condition.READY, endpoint=shared.endpoint)

    def _out_of_validity(self, described: Answer) -> list[str]:
        # ACTIVE is for ever; AWS IoT refuses the device all the same.
        pem = str((described.document().get("certificateDescription") or {}).get("certificatePem") or "")
        try:
            shown = certificates.load(pem.encode()).x509
        except CertificateError:
            return []
        if self.now > shown.not_valid_after_utc:
            return [f"certificate expired {shown.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"]
        if self.now < shown.not_valid_before_utc:
            return [f"certificate is not valid before {shown.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"]
        return []

    async def _without_certificate(self) -> Standing:
        """
        A push claims the name first, so the thing may be there already.
        """
        thing = await self._thing() if self.sought.name else None
        if thing is not None and owner_of(thing) == self.sought.fingerprint:
            return Standing(Condition.INCOMPLETE, ("no certificate",))
        return _UNKNOWN

    async def _thing(self) -> dict[str, Any] | None:
        described = await self.calls(aws_operations.describe_thing(self.sought.name), self.turn)
        if described.missing:
            return None
        if not described.ok:
            raise aws_errors.refusal(described)
        return described.document()

    async def _missing_of_its_thing(self) -> list[str]:
        thing = await self._thing()
        if thing is None:
            return ["no thing"]
        owner = owner_of(thing)
        principals = await principals_of(self.sought.name, self.calls, self.turn)
        attached = any(p.endswith(f":cert/{self.sought.fingerprint}") for p in principals)
        # As Name decides: the claim counts, or being the only one attached.
        if owner == self.sought.fingerprint or (attached and len(principals) == 1):
            return ([] if attached else [_NOT_ATTACHED]) + await self._missing_extras(thing)
        if owner or (principals and not attached):
            return [f"the thing {self.sought.name} belongs to another certificate"]
        return [f"the thing {self.sought.name} is not claimed yet"] if attached else [_NOT_ATTACHED]

    async def _missing_extras(self, thing: dict[str, Any]) -> list[str]:
        extras = self.account.extras
        missing = ["no thing type"] if extras.thing_type and not thing.get("thingTypeName") else []
        if extras.billing_group and not thing.get("billingGroupName"):
            missing.append("no billing group")
        if not extras.thing_groups:
            return missing
        groups: set[str] = set()
        async for page in pages(
            lambda token: aws_operations.list_groups(self.sought.name, token), "nextToken", self.calls, self.turn
        ):
            groups |= {str(group.get("groupName")) for group in page.get("thingGroups", ())}
        return missing + [f"not in the group {group}" for group in extras.thing_groups if group not in groups]

    async def _missing_of_any_thing(self, arn: str) -> list[str]:
        async for page in pages(
            lambda token: aws_operations.list_principal_things(arn, token), "nextToken", self.calls, self.turn
        ):
            if page.get("things"):
                return []
        return ["no thing"]

    async def _has_policy(self, arn: str, name: str) -> bool:
        async for page in pages(
            lambda marker: aws_operations.list_attached_policies(arn, marker), "nextMarker", self.calls, self.turn
        ):
            if any(policy.get("policyName") == name for policy in page.get("policies", ())):
                return True
        return False
