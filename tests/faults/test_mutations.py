"""
The suite sees what it is there to see: firstlight broken on purpose, each break found within a few hundred seeds.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from firstlight import interop, provision
from firstlight.errors import FirstlightError, InactiveError
from firstlight.registries import aws_account, aws_errors, aws_iot, aws_operations, azure_errors, azure_identity
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_device import AwsDevice
from firstlight.registries.aws_name import Name
from firstlight.registries.aws_operations import Call
from firstlight.registries.azure_answer import Answer as AzureAnswer
from firstlight.registries.azure_answer import BulkResult
from firstlight.registries.azure_push import AzurePush
from tests.faults.plan import Case
from tests.faults.run import run

Break = Callable[[pytest.MonkeyPatch], None]
_MOST = 400


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
    patch.setattr(Answer, "ok", property(lambda self: not self.code or self.throttled))


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


def _leaves_a_duplicate_out(patch: pytest.MonkeyPatch) -> None:
    answer = interop._json_reply  # noqa: SLF001 -- what is broken on purpose

    def once(status: int, value: Any, headers: Any = None, outcomes: Any = ()) -> Any:
        certificates = {o.identity.fingerprint: o for o in outcomes if o.identity}
        kept = [e for e in value if e["ref"] in {o.ref for o in certificates.values()}] if outcomes else value
        return answer(status, kept, headers, outcomes)

    patch.setattr(interop, "_json_reply", once)


def _answers_the_first_only(patch: pytest.MonkeyPatch) -> None:
    answered = provision._outcome  # noqa: SLF001 -- what is broken on purpose

    def wrong(ref: str, who: Any, registrations: dict[str, Any]) -> Any:
        first = next(iter(registrations.values()), provision.Registration())
        return answered(ref, who, dict.fromkeys(registrations, first))

    patch.setattr(provision, "_outcome", wrong)


def _says_success_of_everything(patch: pytest.MonkeyPatch) -> None:
    entry = interop._entry  # noqa: SLF001 -- as above

    def lying(outcome: Any, topic: str) -> Any:
        return entry(provision.Outcome(outcome.ref, outcome.identity, "endpoint"), topic)

    patch.setattr(interop, "_entry", lying)


def _refuses_for_good_what_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aws_errors, "unfinished", aws_errors.refusal)


_AWS: dict[str, Break] = {
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
    "a duplicate is not answered": _leaves_a_duplicate_out,
    "the policy's answer is not waited for": _ignores_the_policys_answer,
    "all entries get the answer of the first": _answers_the_first_only,
    "every entry is SUCCESS": _says_success_of_everything,
    "what failed is refused for good": _refuses_for_good_what_failed,
}


def _what_exists_is_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AzurePush, "_exists", AzurePush._succeed)  # noqa: SLF001 -- as above


def _any_thumbprint_will_do(patch: pytest.MonkeyPatch) -> None:
    def status_only(found: dict[str, Any], identity: Any, preferred: Any) -> FirstlightError | None:
        return None if found["status"] == "enabled" else InactiveError.of(found["status"])

    patch.setattr(azure_identity, "problem", status_only)


def _any_status_will_do(patch: pytest.MonkeyPatch) -> None:
    problem = azure_identity.problem

    def enabled(found: dict[str, Any], identity: Any, preferred: Any) -> FirstlightError | None:
        return problem({**found, "status": "enabled"}, identity, preferred)

    patch.setattr(azure_identity, "problem", enabled)


def _every_bulk_call_succeeds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AzureAnswer, "bulk", property(lambda self: BulkResult(successful=True, refused={})))


def _believes_an_unanswered_bulk_call(patch: pytest.MonkeyPatch) -> None:
    asked = AzurePush._answer  # noqa: SLF001 -- as above

    async def believing(self: AzurePush, method: str, path: str, entries: Any, body: bytes = b"") -> Any:
        answer = await asked(self, method, path, entries, body)
        return answer or AzureAnswer(200, document={"isSuccessful": True})

    patch.setattr(AzurePush, "_answer", believing)


def _believes_what_is_not_refused(patch: pytest.MonkeyPatch) -> None:
    sort_out = AzurePush._sort_out  # noqa: SLF001 -- as above

    def believing(self: AzurePush, batch: Any, result: BulkResult) -> None:
        sort_out(self, batch, result)
        for entry in batch:
            if entry.identity.name not in result.refused:
                self._succeed(entry)

    patch.setattr(AzurePush, "_sort_out", believing)


def _refuses_for_good_what_failed_in_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(azure_errors, "failed_entry", azure_errors.refused_entry)


_AZURE: dict[str, Break] = {
    "what exists is taken for done": _what_exists_is_done,
    "any thumbprint will do": _any_thumbprint_will_do,
    "any status will do": _any_status_will_do,
    "every bulk call succeeds": _every_bulk_call_succeeds,
    "an unanswered bulk call is believed": _believes_an_unanswered_bulk_call,
    "what a bulk call does not refuse is believed": _believes_what_is_not_refused,
    "what the hub failed at is refused for good": _refuses_for_good_what_failed_in_part,
    "all entries get the answer of the first": _answers_the_first_only,
    "every entry is SUCCESS": _says_success_of_everything,
    "a duplicate is not answered": _leaves_a_duplicate_out,
}
_BREAKS = [
    pytest.param(cloud, break_it, id=f"{cloud}: {name}")
    for cloud, breaks in (("aws", _AWS), ("azure", _AZURE))
    for name, break_it in breaks.items()
]


@pytest.mark.parametrize(("cloud", "break_it"), _BREAKS)
def test_a_broken_firstlight_is_found_out(cloud: str, break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Some seed finds it; without the break none of them does (test_runs).
    """
    break_it(monkeypatch)

    found = _found(cloud)

    assert found
    # The break is meant to be found, not a mistake in it.
    assert "bug of firstlight" not in found


def _found(cloud: str) -> str:
    """
    Return what the first seed that fails has to say, "" if none does.
    """
    for seed in range(_MOST):
        if wrong := run(Case(seed), cloud).wrong:
            return f"seed {seed}: {wrong[0]}"
    return ""
