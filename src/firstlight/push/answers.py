"""
What a server answered to a push, held against what was pushed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.push.asking import GOOD, PROVISION, STATUS, Ask, Status
from firstlight.push.entries import Entry


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of one entry.  `endpoint` and `topic` belong to SUCCESS, `message` to ERROR.

    Of a status request `endpoint` belongs to READY, and `missing` is what the device lacks.  `again` is
    False when asking the same again cannot change the answer, as after a 401.
    """

    ref: str
    source: str
    status: Status
    endpoint: str = ""
    topic: str = ""
    message: str = ""
    again: bool = True
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """
        Whether it needs nothing more of whoever asked.
        """
        return self.status in GOOD


def refused(entries: Sequence[Entry], message: str, *, again: bool = True) -> list[Answer]:
    """
    Return ERROR for every entry, when there was no answer for any.
    """
    return [_error(entry, message, again=again) for entry in entries]


def match(entries: Sequence[Entry], body: bytes, asked: Ask = PROVISION) -> list[Answer]:
    """
    Return one answer per entry of the chunk, in order, from the body of a 200 or 202.

    An entry's answer stands at its position and bears its ref.  Whatever does not is an ERROR of
    the entry it concerns, or of the last one if it concerns none: a server that loses count is
    not believed.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return refused(entries, "The server's answer is not JSON.")
    if not isinstance(given, list):
        if asked is STATUS and isinstance(given, dict) and given.get("action") == STATUS.action:
            return refused(entries, "The server does not say what devices are.", again=False)
        return refused(entries, "The server's answer is not a list.")
    answers = [_at(position, entry, given, asked) for position, entry in enumerate(entries)]
    _blame_surplus(answers, entries, given[len(entries) :])
    return answers


def _at(position: int, entry: Entry, given: list[Any], asked: Ask) -> Answer:
    if position >= len(given):
        return _error(entry, "The server gave no answer for this entry.")
    found = given[position]
    if not isinstance(found, dict):
        return _error(entry, "The server's answer at this entry's place is not an object.")
    if found.get("ref") != entry.ref:
        return _error(entry, f"The server's answer at this entry's place is for {_quoted(found.get('ref'))}.")
    return _answer(entry, found, asked)


def _answer(entry: Entry, found: dict[str, Any], asked: Ask) -> Answer:
    status = found.get("status")
    if status not in asked.statuses:
        return _error(entry, f"The server's answer has the status {_quoted(status)}.")
    if status == Status.SUCCESS:
        return _success(entry, found)
    if status == Status.ERROR:
        return _error(entry, str(found.get("message") or "The server gave no reason."))
    endpoint, missing = found.get("endpoint"), found.get("missing")
    return Answer(
        entry.ref,
        entry.source,
        Status(status),
        endpoint if isinstance(endpoint, str) else "",
        missing=tuple(map(str, missing)) if isinstance(missing, list) else (),
    )


def _success(entry: Entry, found: dict[str, Any]) -> Answer:
    # a SUCCESS that names no endpoint or no policy is of a device that cannot connect
    endpoint, topic = found.get("endpoint"), found.get("topic")
    if not isinstance(endpoint, str) or not endpoint:
        return _error(entry, "The server said SUCCESS without an endpoint.")
    if found.get("policyApplied") is False:
        return _error(entry, "The server said SUCCESS without a policy.")
    return Answer(entry.ref, entry.source, Status.SUCCESS, endpoint, topic if isinstance(topic, str) else "")


def _blame_surplus(answers: list[Answer], entries: Sequence[Entry], surplus: list[Any]) -> None:
    if not surplus:
        return
    refs = [found.get("ref") for found in surplus if isinstance(found, dict)]
    blamed = {i: entry for i, entry in enumerate(entries) if entry.ref in refs} or {len(entries) - 1: entries[-1]}
    for i, entry in blamed.items():
        answers[i] = _error(entry, f"The server gave {len(surplus)} more answers than there were entries.")


def _error(entry: Entry, message: str, *, again: bool = True) -> Answer:
    return Answer(entry.ref, entry.source, Status.ERROR, message=message, again=again)


def _quoted(value: Any) -> str:
    return json.dumps(value)[:80]
