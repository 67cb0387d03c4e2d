"""
One push on its way into an IoT Hub: created in bulk, and proved one by one where there is doubt.

SUCCESS is said for a device only when the hub proved it: it answered that all of a bulk call was
done, or it shows the identity, enabled and with our thumbprint.  "Already exists", an answer that
was lost, a bulk call done in part: all of them end in a look at the device.
"""

import json
import random
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from firstlight.errors import FirstlightError, RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration
from firstlight.registries import azure_errors, azure_identity, azure_tags
from firstlight.registries.azure_answer import Answer, BulkResult
from firstlight.registries.azure_rounds import Entry, Rounds, Site

_Entry = Entry[Registration]


class AzurePush(Rounds[Registration]):
    """
    Registers *devices* before *deadline* (the running loop's clock).
    """

    def __init__(self, site: Site, devices: Sequence[DeviceIdentity], *, deadline: float) -> None:
        super().__init__(site, devices, deadline=deadline)
        for entry in self._entries:
            if why := azure_identity.refusal(entry.identity):
                self._fail(entry, why)

    async def _round(self, left: list[_Entry]) -> None:
        # What this push found to be there already is one call short of its answer.
        await self._all(self._prove, [entry for entry in left if entry.known])
        remembered = self._site.known if self._site.pace.is_short else ()
        if self._site.pace.is_short:
            # While a hub takes a few of a push, they should not be the same few every time.
            random.shuffle(left)
        # A hub that is short of calls had better spend them on devices that are new.
        fresh = [e for e in left if e.result is None and not e.known and e.identity.name not in remembered]
        await self._all(self._create, list(_batches(fresh, self._site.pace.size(self._clock()))))
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
                self._note(entry, azure_errors.failed_entry(str(why)))
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
            if problem is not None:
                self._fail(entry, problem)
            elif not entry.identity.attributes or await self._tagged(entry):
                self._succeed(entry)

    async def _tagged(self, entry: _Entry) -> bool:
        """
        Add the tags that the twin of a known device lacks; return whether it has them all now.
        """
        name, path = entry.identity.name, f"/twins/{quote(entry.identity.name, safe='')}"
        try:
            twin = await self._answer("GET", path, [entry])
            if twin is not None and twin.ok:
                lacking = azure_tags.lacking(twin.document, entry.identity.attributes)
                if not lacking:
                    return True
                # What an operator has written since is not overwritten: it is looked at again.
                etag = str(twin.document.get("etag") or "")
                twin = await self._answer("PATCH", path, [entry], json.dumps({"tags": lacking}).encode(), etag=etag)
        except RegistryError:
            # The hub has just shown the device to the same token: it is twins that are out of its reach.
            self._fail(entry, azure_errors.no_twins(name))
            return False
        if twin is not None and twin.stale:
            entry.failures += 1
            self._note(entry, azure_errors.unsettled(name))
        elif twin is not None and not twin.ok:
            self._fail(entry, azure_errors.untagged(name, twin))
        return twin is not None and twin.ok

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
