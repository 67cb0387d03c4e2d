"""
Questions about many devices to one IoT Hub: in rounds, at the pace the hub allows, until a deadline.

What is asked, and what an answer means, is its users' (azure_push, azure_inspection).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from firstlight.errors import FirstlightError, RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.registries import azure_errors
from firstlight.registries.azure_answer import Answer
from firstlight.registries.azure_authentication import Means, is_device_id
from firstlight.registries.azure_http import AzureHttp
from firstlight.registries.azure_known import Known
from firstlight.registries.azure_pace import MAX_BATCH, Pace, Patience

T = TypeVar("T")
R = TypeVar("R")

# Into how many parts a bulk call is taken that had no answer.
_PARTING = 8


@dataclass(slots=True, eq=False)
class Entry(Generic[R]):
    """
    One device, and what has become of it so far.

    `company` is how many devices a bulk call with this one may carry; `known` whether to look at the
    device instead; `error` why the last attempt failed.
    """

    identity: DeviceIdentity
    company: int = MAX_BATCH
    known: bool = False
    failures: int = 0
    throttled: int = 0
    error: FirstlightError | None = None
    result: R | None = None


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


class Rounds(ABC, Generic[R]):
    """
    Asks about *devices* before *deadline* (the running loop's clock) until each has its result.
    """

    def __init__(self, site: Site, devices: Sequence[DeviceIdentity], *, deadline: float) -> None:
        self._site = site
        self._deadline = deadline
        self._entries: list[Entry[R]] = [Entry(device) for device in devices]
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        # Whether the hub's quota leaves nothing more before the deadline.
        self._spent = False
        # Why no other call would fare better, once that is known.
        self._hopeless: RegistryError | None = None

    async def run(self) -> list[R]:
        """
        Return the result of each device, in order.
        """
        for entry in self._entries:
            if entry.result is None and not is_device_id(entry.identity.name):
                self._fail(entry, azure_errors.illegal_id(entry.identity.name))
        left = self._left()
        while left and self._hopeless is None and await self._may_begin(left):
            await self._round(left)
            left = self._left()
        for entry in left:
            self._fail(entry, self._hopeless or entry.error or azure_errors.not_attempted())
        return [entry.result for entry in self._entries if entry.result is not None]

    @abstractmethod
    async def _round(self, left: list[Entry[R]]) -> None:
        """
        Ask once about each of *left*.
        """

    @abstractmethod
    def _failed(self, entry: Entry[R], error: FirstlightError) -> R:
        """
        Return the result of a device that cannot be done.
        """

    def _left(self) -> list[Entry[R]]:
        return [entry for entry in self._entries if entry.result is None]

    async def _may_begin(self, left: list[Entry[R]]) -> bool:
        """
        Wait for the hub to recover; return whether there is time left then.
        """
        failures = max(entry.failures for entry in left)
        rest = self._site.patience.pause(failures - 1) if failures else 0.0
        rest = max(rest, self._site.pace.resumes_in(self._clock()))
        if self._spent or self._clock() + rest >= self._deadline:
            # Waiting for what will not come would only keep the caller.
            return False
        if rest:
            await asyncio.sleep(rest)
        return True

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

    async def _answer(
        self, method: str, path: str, entries: list[Entry[R]], body: bytes = b"", *, etag: str = ""
    ) -> Answer | None:
        """
        Return what the hub says about *entries*; None when they have to be tried again, or cannot be.

        With an *etag* a change of something that was changed since is refused (`Answer.stale`).

        Raises:
            RegistryError: the hub would refuse every other call, too.
        """
        pace = self._site.pace
        # Twins have a quota of their own, which is far larger.
        if not path.startswith("/twins/") and not await pace.affords(len(entries), self._deadline):
            self._spent = True
            return None
        async with pace.place(self._deadline) as admitted:
            sent = self._clock()
            if not admitted or self._hopeless or pace.resumes_in(sent) or sent >= self._deadline:
                return None
            until = min(self._deadline, sent + self._site.patience.attempt)
            answer = await self._site.http.send(method, path, body, until=until, etag=etag)
            if answer.unauthenticated:
                # The token had expired on the way: azure-core has dropped it and asks for another.
                answer = await self._site.http.send(method, path, body, until=until, etag=etag)
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

    def _turned_away(self, entries: list[Entry[R]], *, sent: float, retry_after: float | None = None) -> None:
        self._site.pace.throttled(sent=sent, now=self._clock(), retry_after=retry_after)
        for entry in entries:
            entry.throttled += 1
            entry.error = azure_errors.throttled(self._site.hub)

    def _note(self, entry: Entry[R], error: RegistryError) -> None:
        # Whoever was throttled, and then cut short, was throttled.
        entry.error = entry.error if entry.throttled and entry.error else error
        if entry.failures >= self._site.patience.failures:
            self._fail(entry, error)

    def _fail(self, entry: Entry[R], error: FirstlightError) -> None:
        entry.result = self._failed(entry, error)
