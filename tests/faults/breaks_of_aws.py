"""
Ways to break the registry of AWS, each of which looks reasonable to somebody.
"""

import json
from typing import Any

import pytest

from firstlight.errors import FirstlightError
from firstlight.registries import aws_account, aws_errors, aws_iot, aws_operations
from firstlight.registries.aws_announcements import Announcements
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_device import AwsDevice
from firstlight.registries.aws_name import Name
from firstlight.registries.aws_operations import Call


async def _certificate_without_a_look(self: AwsDevice) -> None:
    await self.calls(aws_operations.register_certificate(self.identity.pem), self.turn)


def _policy_first(patch: pytest.MonkeyPatch) -> None:
    register = AwsDevice._register_certificate  # noqa: SLF001 -- what is broken on purpose

    async def with_policy(self: AwsDevice) -> None:
        await register(self)
        shared = self.account.shared()
        await self._attach_policy(shared, shared.certificate_arn(self.identity.fingerprint))

    patch.setattr(AwsDevice, "_register_certificate", with_policy)


def _certificate_before_the_name(patch: pytest.MonkeyPatch) -> None:
    register = AwsDevice.register

    async def registered_first(self: AwsDevice) -> str:
        await self._register_certificate()
        return await register(self)

    patch.setattr(AwsDevice, "register", registered_first)


def _no_repair(patch: pytest.MonkeyPatch) -> None:
    known: set[str] = set()
    attached, policy = AwsDevice._attached_to_thing, AwsDevice._attach_policy  # noqa: SLF001 -- as above

    async def registered(self: AwsDevice) -> None:
        answer = await self.calls(aws_operations.register_certificate(self.identity.pem), self.turn)
        known.update([self.identity.fingerprint] if answer.exists else [])

    async def attach(self: AwsDevice, arn: str, *, again: bool) -> bool:
        return self.identity.fingerprint in known or await attached(self, arn, again=again)

    async def attach_policy(self: AwsDevice, shared: aws_account.Shared, arn: str) -> None:
        if self.identity.fingerprint not in known:
            await policy(self, shared, arn)

    patch.setattr(AwsDevice, "_register_certificate", registered)
    patch.setattr(AwsDevice, "_attached_to_thing", attach)
    patch.setattr(AwsDevice, "_attach_policy", attach_policy)


def _success_without_a_look_at_the_status(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AwsDevice, "_register_certificate", _certificate_without_a_look)


def _revives(patch: pytest.MonkeyPatch) -> None:
    async def reviving(self: AwsDevice) -> None:
        await _certificate_without_a_look(self)
        path = f"/certificates/{self.identity.fingerprint}"
        activate = Call(aws_operations.Operation.DESCRIBE_CERTIFICATE, "PUT", path, "newStatus=ACTIVE")
        await self.calls(activate, self.turn)

    patch.setattr(AwsDevice, "_register_certificate", reviving)


def _swallows_failures(patch: pytest.MonkeyPatch) -> None:
    call = AwsCalls.__call__

    async def swallowing(self: AwsCalls, asked: Call, turn: Turn) -> Answer:
        try:
            return await call(self, asked, turn)
        except FirstlightError:
            return Answer(asked.operation, 200)

    patch.setattr(AwsCalls, "__call__", swallowing)


def _takes_silence_for_consent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answer, "ok", property(lambda self: not self.code or self.status == 0))


def _takes_throttling_for_consent(patch: pytest.MonkeyPatch) -> None:
    throttled = Answer.throttled.fget
    patch.setattr(Answer, "ok", property(lambda self: not self.code or throttled(self)))
    patch.setattr(Answer, "throttled", property(lambda _: False))


def _takes_every_name(patch: pytest.MonkeyPatch) -> None:
    async def ours(self: Name) -> bool:
        return True

    patch.setattr(Name, "_is_ours", ours)


def _wins_every_name(patch: pytest.MonkeyPatch) -> None:
    async def may(self: Name, owner: str, **kwargs: Any) -> bool:
        return True

    patch.setattr(Name, "_may_be_taken", may)


def _ignores_the_policys_answer(patch: pytest.MonkeyPatch) -> None:
    async def attach(self: AwsDevice, shared: aws_account.Shared, arn: str) -> None:
        try:
            await self.calls(aws_operations.attach_policy(shared.policy_name, arn), self.turn)
        except FirstlightError:
            return

    patch.setattr(AwsDevice, "_attach_policy", attach)


def _takes_over_whatever_changed(patch: pytest.MonkeyPatch) -> None:
    merge = aws_operations.merge_thing

    def blind(*args: Any, **kwargs: Any) -> Call:
        call = merge(*args, **kwargs)
        body = {k: v for k, v in json.loads(call.body).items() if k != "expectedVersion"}
        return call._replace(body=json.dumps(body).encode())

    patch.setattr(aws_operations, "merge_thing", blind)


def _answers_a_minute_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aws_iot, "Turn", lambda deadline: Turn(deadline + 60))


def _refuses_for_good_what_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aws_errors, "unfinished", aws_errors.refusal)


def _leaves_announcements(patch: pytest.MonkeyPatch) -> None:
    async def withdraw(self: Announcements, fingerprints: Any, *, deadline: float) -> dict[str, None]:
        return dict.fromkeys(fingerprints)

    patch.setattr(Announcements, "withdraw", withdraw)


BREAKS = {
    "the policy is attached before the thing": _policy_first,
    "the certificate is registered before its name is claimed": _certificate_before_the_name,
    "a registered certificate is believed to be complete": _no_repair,
    "the status of a registered certificate is not looked at": _success_without_a_look_at_the_status,
    "what was switched off is revived": _revives,
    "failures are swallowed": _swallows_failures,
    "silence is taken for consent": _takes_silence_for_consent,
    "throttling is taken for consent": _takes_throttling_for_consent,
    "every name that exists is taken for one's own": _takes_every_name,
    "every name is won": _wins_every_name,
    "a name is taken over whatever has changed": _takes_over_whatever_changed,
    "answers come a minute late": _answers_a_minute_late,
    "the policy's answer is not waited for": _ignores_the_policys_answer,
    "who is in stays announced": _leaves_announcements,
    "what failed is refused for good": _refuses_for_good_what_failed,
}
