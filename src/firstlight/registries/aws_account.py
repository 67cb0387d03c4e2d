"""
What every device of a region shares: the endpoint it connects to, the policy it gets, and a type or groups.
"""

import asyncio
from typing import NamedTuple

from firstlight.registries import aws_errors, aws_operations
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_extras import NO_EXTRAS, Extras


class Shared(NamedTuple):
    """
    The device endpoint, the policy's name, and the ARN up to the account (`arn:aws:iot:eu-west-1:123456789012`).
    """

    endpoint: str
    policy_name: str
    arn: str

    def certificate_arn(self, certificate_id: str) -> str:
        return f"{self.arn}:cert/{certificate_id}"


class Account:
    """
    Asks for the endpoint, the policy and *extras* once per process.  A failure is not kept: every push asks again.
    """

    def __init__(
        self,
        calls: AwsCalls,
        *,
        region: str,
        policy_name: str,
        device_endpoint: str = "",
        extras: Extras = NO_EXTRAS,
    ) -> None:
        self.extras = extras
        self._calls = calls
        self._region = region
        self._policy_name = policy_name
        self._endpoint = device_endpoint
        self._arn = ""
        self._extras_exist = extras == NO_EXTRAS
        self._asking = asyncio.Lock()

    async def ask(self, turn: Turn) -> None:
        """
        Make sure of the policy, the endpoint and the extras, before a push makes anything.

        Raises:
            NotAttemptedError: another push was still asking when the deadline came.
            RegistryError: there is no such policy, no such type or group, or no endpoint; or AWS did not say
                before the deadline.
        """
        if self._arn and self._endpoint and self._extras_exist:
            return
        # A second push waits for the first one's answer instead of asking too: GetPolicy's quota is small.
        try:
            async with asyncio.timeout_at(turn.deadline):
                await self._asking.acquire()
        except TimeoutError:
            raise aws_errors.not_attempted() from None
        try:
            self._arn = self._arn or await self._policy_arn(turn)
            self._endpoint = self._endpoint or await self._device_endpoint(turn)
            if not self._extras_exist:
                await self.extras.require(self._calls, turn)
                self._extras_exist = True
        finally:
            self._asking.release()

    def shared(self) -> Shared:
        """
        Return what was asked for.

        Raises:
            UnfinishedError: the policy was not found since; the next push asks for it anew.
        """
        if not self._arn:
            raise aws_errors.policy_in_doubt(self._policy_name)
        return Shared(self._endpoint, self._policy_name, self._arn)

    def forget_policy(self) -> None:
        """
        The policy has gone: begin no device before a push has asked for it anew.
        """
        self._arn = ""

    def forget_extras(self) -> None:
        """
        A type or group has gone: as above.
        """
        self._extras_exist = self.extras == NO_EXTRAS

    async def _policy_arn(self, turn: Turn) -> str:
        answer = await self._calls(aws_operations.get_policy(self._policy_name), turn)
        if not answer.ok and not answer.missing:
            raise aws_errors.refusal(answer)
        arn, separator, _ = str(answer.document().get("policyArn", "")).partition(":policy/")
        if not separator:
            raise aws_errors.no_policy(self._policy_name, self._region)
        return arn

    async def _device_endpoint(self, turn: Turn) -> str:
        answer = await self._calls(aws_operations.describe_endpoint(), turn)
        if not answer.ok:
            raise aws_errors.refusal(answer)
        endpoint = str(answer.document().get("endpointAddress") or "")
        if not endpoint:
            raise aws_errors.no_endpoint(self._region)
        return endpoint
