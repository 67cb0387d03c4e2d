"""
Ways to break the registry of an IoT Hub.
"""

from typing import Any

import pytest

from firstlight.errors import FirstlightError, InactiveError
from firstlight.registries import azure_errors, azure_identity
from firstlight.registries.azure_answer import Answer, BulkResult
from firstlight.registries.azure_push import AzurePush


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
    patch.setattr(Answer, "bulk", property(lambda self: BulkResult(successful=True, refused={})))


def _believes_an_unanswered_bulk_call(patch: pytest.MonkeyPatch) -> None:
    asked = AzurePush._answer  # noqa: SLF001 -- as above

    async def believing(self: AzurePush, method: str, path: str, entries: Any, body: bytes = b"") -> Any:
        answer = await asked(self, method, path, entries, body)
        return answer or Answer(200, document={"isSuccessful": True})

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


BREAKS = {
    "what exists is taken for done": _what_exists_is_done,
    "any thumbprint will do": _any_thumbprint_will_do,
    "any status will do": _any_status_will_do,
    "every bulk call succeeds": _every_bulk_call_succeeds,
    "an unanswered bulk call is believed": _believes_an_unanswered_bulk_call,
    "what a bulk call does not refuse is believed": _believes_what_is_not_refused,
    "what the hub failed at is refused for good": _refuses_for_good_what_failed_in_part,
}
