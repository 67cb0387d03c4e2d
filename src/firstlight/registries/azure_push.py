"""
One push on its way into an IoT Hub: created in bulk, and proved one by one where there is doubt.

SUCCESS is said for a device only when the hub proved it: it answered that all of a bulk call was
done, or it shows the identity, enabled and with our thumbprint.  "Already exists", an answer that
was lost, a bulk call done in part: all of them end in a look at the device.
"""

import json
import random
from collections.abc import Iterator
from urllib.parse import quote

from firstlight.errors import FirstlightError
from firstlight.provision import Registration
from firstlight.registries import azure_errors, azure_identity
from firstlight.registries.azure_answer import Answer, BulkResult
from firstlight.registries.azure_rounds import Entry, Rounds

_Entry = Entry[Registration]


class AzurePush(Rounds[Registration]):
    """
    Registers *devices* before *deadline* (the running loop's clock).
    """

    async def _round(self, left: list[_Entry]) -> None:
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

    async def _create(self, batch: list[_Entry]) -> None:
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

    def _refused(self, batch: list[_Entry], answer: Answer) -> None:
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

    def _sort_out(self, batch: list[_Entry], result: BulkResult) -> None:
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

    def _exists(self, entry: _Entry) -> None:
        entry.known = True
        self._site.known.add(entry.identity.name)

    async def _prove(self, entry: _Entry) -> None:
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

    def _succeed(self, entry: _Entry) -> None:
        entry.result = Registration(self._site.hub, None, entry.throttled, self._clock() - self._begun)

    def _failed(self, entry: _Entry, error: FirstlightError) -> Registration:
        return Registration("", error, entry.throttled, self._clock() - self._begun)


def _batches(entries: list[_Entry], size: int) -> Iterator[list[_Entry]]:
    batch: list[_Entry] = []
    room = size
    for entry in entries:
        room = min(room, entry.company)
        if batch and len(batch) >= room:
            yield batch
            batch, room = [], min(size, entry.company)
        batch.append(entry)
    if batch:
        yield batch
