"""
Ways to break what carries on what a push could not finish.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from firstlight import backlog, interop, overflow
from firstlight.backlog import Worked
from firstlight.errors import NotAttemptedError, QueuedError, ThrottledError
from firstlight.ingest import worker as own_worker
from firstlight.inspection import Condition, Standing
from firstlight.queues import azure_backlog
from firstlight.queues.azure_storage import StorageQueue
from firstlight.queues.sqs import SqsQueue
from firstlight.status import StatusDesk
from lambdas import worker
from tests.faults import azure_cloud


def _lets_go_before_it_works(patch: pytest.MonkeyPatch) -> None:
    async def work(messages: Any, *args: Any, **kwargs: Any) -> Worked:
        worked = await backlog.work(messages, *args, **kwargs)
        return Worked(done=tuple(messages), again=(), outcomes=worked.outcomes)

    _with_work(patch, work)


def _lets_go_of_what_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backlog, "comes_again", lambda outcome: isinstance(outcome.error, ThrottledError))


def _lets_go_of_what_was_not_attempted(patch: pytest.MonkeyPatch) -> None:
    again = backlog.comes_again
    patch.setattr(backlog, "comes_again", lambda o: again(o) and not isinstance(o.error, NotAttemptedError))


def _remembers_what_it_worked_on(patch: pytest.MonkeyPatch) -> None:
    seen: set[bytes] = set()

    async def work(messages: Any, *args: Any, **kwargs: Any) -> Worked:
        new = [m for m in messages if m.candidates and not {c.certificate for c in m.candidates} <= seen]
        seen.update(c.certificate for m in new for c in m.candidates)
        worked = await backlog.work(new, *args, **kwargs)
        return replace(worked, done=(*worked.done, *(m for m in messages if m not in new)))

    _with_work(patch, work)


def _with_work(patch: pytest.MonkeyPatch, work: Any) -> None:
    patch.setattr(worker, "work", work)
    patch.setattr(own_worker, "work", work)
    patch.setitem(azure_cloud.worker_function().__globals__, "work", work)


def _takes_out_before_it_works(patch: pytest.MonkeyPatch) -> None:
    work = own_worker.Worker._work  # noqa: SLF001 -- as above

    async def hasty(self: own_worker.Worker, messages: Any, tally: Any) -> None:
        await self.source.done(messages)
        await work(self, messages, tally)

    patch.setattr(own_worker.Worker, "_work", hasty)


def _calls_ready_what_is_known(patch: pytest.MonkeyPatch) -> None:
    known = StatusDesk._known  # noqa: SLF001 -- as above

    def generous(self: StatusDesk, fingerprint: str, standing: Standing) -> Standing:
        found = known(self, fingerprint, standing)
        return replace(found, condition=Condition.READY) if found.condition is Condition.INCOMPLETE else found

    patch.setattr(StatusDesk, "_known", generous)


def _says_queued_of_what_is_not(patch: pytest.MonkeyPatch) -> None:
    async def put(self: Any, waiting: Any, *, deadline: float) -> list[None]:
        return [None] * len(waiting)

    for queue in (SqsQueue, StorageQueue):
        patch.setattr(queue, "put", put)


def _believes_that_all_was_sent(patch: pytest.MonkeyPatch) -> None:
    for queue in (SqsQueue, StorageQueue):
        patch.setattr(queue, "put", _believing(queue.put))


def _believing(put: Any) -> Any:
    async def believed(self: Any, waiting: Any, *, deadline: float) -> list[None]:
        return [None for _ in await put(self, waiting, deadline=deadline)]

    return believed


def _queues_by_name(patch: pytest.MonkeyPatch) -> None:
    put_off = overflow.put_off

    async def by_name(outcomes: Any, queue: Any, *, deadline: float, keep_errors: bool) -> Any:
        named = {o.identity.name: o for o in outcomes if overflow.waiting_of(o)}
        put, errors = await put_off(list(named.values()), queue, deadline=deadline, keep_errors=keep_errors)
        queued = {o.identity.name for o in put if o.identity and isinstance(o.error, QueuedError)}
        return [
            replace(o, error=QueuedError.of()) if overflow.waiting_of(o) and o.identity.name in queued else o
            for o in outcomes
        ], errors

    patch.setattr(interop, "put_off", by_name)


def _swallows_what_cannot_be_put_back(patch: pytest.MonkeyPatch) -> None:
    async def swallowing(calls: Any) -> None:
        await asyncio.gather(*calls, return_exceptions=True)

    patch.setattr(azure_backlog, "_all", swallowing)


def _puts_back_the_first_only(patch: pytest.MonkeyPatch) -> None:
    waiting = azure_backlog._waiting  # noqa: SLF001 -- as above
    patch.setattr(azure_backlog, "_waiting", lambda outcomes: waiting(outcomes)[:1])


def _forgets_what_failed_too_often(patch: pytest.MonkeyPatch) -> None:
    send = StorageQueue.send

    async def forgetting(self: Any, body: str, *, delay: float = 0, poison: bool = False, deadline: float) -> None:
        if not poison:
            await send(self, body, delay=delay, deadline=deadline)

    patch.setattr(StorageQueue, "send", forgetting)


BREAKS = {
    "a message is let go whatever became of it": _lets_go_before_it_works,
    "what failed is let go": _lets_go_of_what_failed,
    "a device is worked on once": _remembers_what_it_worked_on,
    "a worker of one's own takes messages out before it works": _takes_out_before_it_works,
    "what is incomplete is said to be READY": _calls_ready_what_is_known,
    "queued is said, and nothing is": _says_queued_of_what_is_not,
    "the queue's refusal is not listened to": _believes_that_all_was_sent,
    "of one name one is queued": _queues_by_name,
}
# A function on Azure has all the time its devices need.
SQS_BREAKS = {"what was not attempted is let go": _lets_go_of_what_was_not_attempted}
STORAGE_BREAKS = {
    "what cannot be put back is let go": _swallows_what_cannot_be_put_back,
    "one device of a message is put back": _puts_back_the_first_only,
    "what failed too often is forgotten": _forgets_what_failed_too_often,
}
