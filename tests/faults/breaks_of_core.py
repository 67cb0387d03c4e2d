"""
Ways to break what has no cloud: whom to answer, and what.
"""

from typing import Any

import pytest

from firstlight import interop, provision


def _leaves_a_duplicate_out(patch: pytest.MonkeyPatch) -> None:
    answer = interop._json_reply  # noqa: SLF001 -- what is broken on purpose

    def once(status: int, value: Any, headers: Any = None, outcomes: Any = (), *more: Any) -> Any:
        certificates = {o.identity.fingerprint: o for o in outcomes if o.identity}
        kept = [e for e in value if e["ref"] in {o.ref for o in certificates.values()}] if outcomes else value
        return answer(status, kept, headers, outcomes, *more)

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


BREAKS = {
    "all entries get the answer of the first": _answers_the_first_only,
    "every entry is SUCCESS": _says_success_of_everything,
    "a duplicate is not answered": _leaves_a_duplicate_out,
}
