"""
One push on its way into an IoT Hub: created in bulk, and proved one by one where there is doubt.

SUCCESS is said for a device only when the hub proved it: it answered that all of a bulk call was
done, or it shows the identity, enabled and with our thumbprint.  "Already exists", an answer that
was lost, a bulk call done in part: all of them end in a look at the device.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from firstlight.errors import FirstlightError, RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration
from firstlight.registries import azure_errors, azure_identity
from firstlight.registries.azure_answer import Answer, BulkResult
from firstlight.registries.azure_authentication import Means, is_device_id
from firstlight.registries.azure_http import AzureHttp
from firstlight.registries.azure_known import Known
from firstlight.registries.azure_pace import MAX_BATCH, Pace, Patience

T = TypeVar("T")

# Into how many parts a bulk call is taken that had no answer.
_PARTING = 8


@dataclass(slots=True, eq=False)
class Entry:
    """
    One device of the push, and what has become of it so far.

    `company` is how many devices a bulk call with this one may carry; `known` whether to look at the
    device instead; `error` why the last attempt failed.
    """

    identity: DeviceIdentity
    company: int = MAX_BATCH
    known: bool = False
    failures: int = 0
    throttled: int = 0
    error: FirstlightError | None = None
    result: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """
    What all pushes of a process share.
    """

    hub: str
    http: AzureHttp
    pace: Pace
    patience: Patience
    preferred: Means
    known: Known = field(default_factory=Known)


class AzurePush:
    """
    Registers *devices* before *deadline* (the running loop's clock).
    """

    def __init__(self, site: Site, devices: Sequence[DeviceIdentity], *, deadline: float) -> None:
        self._site = site
        self._deadline = deadline
        self._entries = [Entry(device) for device in devices]
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        # Why no other call of this push would fare better, once that is known.
        self._hopeless: RegistryError | None = None

    async def run(self) -> list[Registration]:
        """
        Return what became of each device, in order.
        """
        for entry in self._entries:
            if not is_device_id(entry.identity.name):
                self._fail(entry, azure_errors.illegal_id(entry.identity.name))
        left = self._left()
        while left and self._hopeless is None and await self._may_begin(left):
            await self._round(left)
            left = self._left()
        for entry in left:
            self._fail(entry, self._hopeless or entry.error or azure_errors.not_attempted())
        return [entry.result or Registration(error=azure_errors.not_attempted()) for entry in self._entries]

    def _left(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.result is None]

    async def _may_begin(self, left: list[Entry]) -> bool:
        """
        Wait for the hub to recover; return whether there is time left then.
        """
        failures = max(entry.failures for entry in left)
        rest = self._site.patience.pause(failures - 1) if failures else 0.0
        rest = max(rest, self._site.pace.resumes_in(self._clock()))
        if self._clock() + rest >= self._deadline:
            # Waiting for what will not come would only keep the caller.
            return False
        if rest:
            await asyncio.sleep(rest)
        return True

    async def _round(self, left: list[Entry]) -> None:
        # What this push found to be there already is one call short of its answer.
        await self._all(self._prove, [entry for entry in left if entry.known])
        remembered = self._site.known if self._site.pace.is_short else ()
        if self._site.pace.is_short:
            # While a hub takes a few of a push, they should not be the same few every time.
            random.shuffle(left)
        # A hub that is short of calls had better spend them on devices that are new.
        fresh = [e for e in left if e.result is None and not e.known and e.identity.name not in remembered]
        await self._all(self._create, list(_batches(fresh, self._site.pace.size)))
        await self._all(
            self._prove, [e for e in left if e.result is None and (e.known or e.identity.name in remembered)]
        )

    async def _all(self, step: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(self._guarded(step, item))

    async def _guarded(self, step: Callable[[T], Awaitable[None]], item: T) -> None:
        try:
            await step(item)
        except RegistryError as e:
            self._hopeless = e
        except Exception as e:  # noqa: BLE001 -- a surprise must not cost the others their answers
            self._hopeless = azure_errors.surprising(e)
            self._hopeless.__cause__ = e

    async def _create(self, batch: list[Entry]) -> None:
        """
        Ask for all of *batch*; whatever the hub does not say to be done becomes known, to be looked at.

        Raises:
            RegistryError: the hub would refuse every other call, too.
        """
        body = json.dumps([azure_identity.wanted(entry.identity, self._site.preferred) for entry in batch])
        answer = await self._answer("POST", "/devices", batch, body.encode())
        if answer is None:
            return
        if answer.missing:
            raise azure_errors.no_registry(self._site.hub)
        result = answer.bulk
        if result is None:
            self._refused(batch, answer)
        elif result.successful:
            self._site.pace.taken(len(batch))
            for entry in batch:
                self._site.known.add(entry.identity.name)
                self._succeed(entry)
        else:
            self._sort_out(batch, result)

    def _refused(self, batch: list[Entry], answer: Answer) -> None:
        """
        The hub refused the batch as a whole: split it, until whoever caused that is alone.
        """
        for entry in batch:
            if answer.ok:
                entry.failures += 1
                self._note(entry, azure_errors.unfinished(answer._replace(code="an unknown answer"), self._site.hub))
            elif answer.exists:
                self._exists(entry)
            elif len(batch) > 1:
                entry.company = max(1, len(batch) // 2)
            else:
                self._fail(entry, azure_errors.refusal(answer))

    def _sort_out(self, batch: list[Entry], result: BulkResult) -> None:
        refused = {e: why for e in batch if (why := result.refused.get(e.identity.name)) and not why.exists}
        for entry, why in refused.items():
            if why.throttled:
                self._turned_away([entry], sent=self._clock())
            elif why.failed:
                entry.failures += 1
                self._note(entry, azure_errors.refused_entry(str(why)))
            else:
                self._fail(entry, azure_errors.refused_entry(str(why)))
        if refused:
            # They may have sunk the rest with them: that is asked for again, not looked for one by one.
            return
        self._site.pace.taken(len(batch))
        for entry in batch:
            self._exists(entry)

    def _exists(self, entry: Entry) -> None:
        entry.known = True
        self._site.known.add(entry.identity.name)

    async def _prove(self, entry: Entry) -> None:
        name = entry.identity.name
        answer = await self._answer("GET", f"/devices/{quote(name, safe='')}", [entry])
        if answer is None:
            return
        self._site.pace.taken(1)
        if answer.missing:
            # Not done with the rest of its bulk call, or deleted since.
            entry.known = False
            self._site.known.discard(name)
            entry.failures += 1
            self._note(entry, azure_errors.unsettled(name))
        elif not answer.ok or not isinstance(answer.document, dict):
            self._fail(entry, azure_errors.refusal(answer))
        else:
            problem = azure_identity.problem(answer.document, entry.identity, self._site.preferred)
            if problem is None:
                self._succeed(entry)
            else:
                self._fail(entry, problem)

    async def _answer(self, method: str, path: str, entries: list[Entry], body: bytes = b"") -> Answer | None:
        """
        Return what the hub says about *entries*; None when they have to be tried again, or cannot be.

        Raises:
            RegistryError: the hub would refuse every other call, too.
        """
        pace = self._site.pace
        async with pace.place(self._deadline) as admitted:
            sent = self._clock()
            if not admitted or self._hopeless or pace.resumes_in(sent) or sent >= self._deadline:
                return None
            answer = await self._site.http.send(
                method, path, body, until=min(self._deadline, sent + self._site.patience.attempt)
            )
            if answer.unauthenticated:
                # The token had expired on the way: azure-core has dropped it and asks for another.
                answer = await self._site.http.send(
                    method, path, body, until=min(self._deadline, sent + self._site.patience.attempt)
                )
            if answer.throttled:
                self._turned_away(entries, sent=sent, retry_after=answer.retry_after)
                return None
        if answer.failed:
            for entry in entries:
                entry.failures += 1
                # One of them may be what the hub fails at: in smaller company the others get through.
                entry.company = max(1, len(entries) // _PARTING)
                self._note(entry, azure_errors.unfinished(answer, self._site.hub))
            return None
        if hopeless := azure_errors.everywhere(answer, self._site.hub):
            raise hopeless
        return answer

    def _turned_away(self, entries: list[Entry], *, sent: float, retry_after: float | None = None) -> None:
        self._site.pace.throttled(sent=sent, now=self._clock(), retry_after=retry_after)
        for entry in entries:
            entry.throttled += 1
            entry.error = azure_errors.throttled(self._site.hub)

    def _note(self, entry: Entry, error: RegistryError) -> None:
        # Whoever was throttled, and then cut short, was throttled.
        entry.error = entry.error if entry.throttled and entry.error else error
        if entry.failures >= self._site.patience.failures:
            self._fail(entry, error)

    def _succeed(self, entry: Entry) -> None:
        entry.result = Registration(self._site.hub, None, entry.throttled, self._clock() - self._begun)

    def _fail(self, entry: Entry, error: FirstlightError) -> None:
        entry.result = Registration("", error, entry.throttled, self._clock() - self._begun)


def _batches(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    room = size
    for entry in entries:
        room = min(room, entry.company)
        if batch and len(batch) >= room:
            yield batch
            batch, room = [], min(size, entry.company)
        batch.append(entry)
    if batch:
        yield batch
