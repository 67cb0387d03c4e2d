"""
Where records go: the little that an import needs of a cloud, or of an ingest API.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from firstlight.errors import FirstlightError, QueuedError, UnfinishedError
from firstlight.identity import DeviceIdentity
from firstlight.manifests import Record
from firstlight.overflow import Overflow, Waiting
from firstlight.provision import Admission, Candidate, Registry, provision


@dataclass(frozen=True, slots=True)
class Landed:
    """
    What became of one record.  `error` is None exactly when the device can connect now; a QueuedError says that it
    will be without us.

    `name` is empty where somebody else gives the names; `again` says that trying again may well help.
    """

    name: str = ""
    error: FirstlightError | None = None
    again: bool = False


# Why a cloud would never take a device, whatever is mended in it; None if it may.
Refusal = Callable[[DeviceIdentity], FirstlightError | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How many records at once, and how many times that many at a time: a few hundred in all.

    A slice is reported when the last of it is done, so where devices come one by one it is small.
    """

    slice: int = 100
    abreast: int = 3


# A hundred in flight are ten seconds of the published quota, and at 50 ms a call still 500 devices a second.
ONE_BY_ONE = Pace(slice=20, abreast=5)


class Landing(Protocol):
    """
    One destination.  It is given slices of at most `pace.slice` records, `pace.abreast` of them at a time.
    """

    @property
    def pace(self) -> Pace: ...

    async def land(self, records: Sequence[Record]) -> Sequence[Landed]:
        """
        Make each record's device able to connect; answer for each, in order.  Only cancellation is raised.
        """


class RegistryLanding:
    """
    The registry of a cloud, called directly.  A slice of records has *patience* seconds.
    """

    def __init__(
        self,
        registry: Registry,
        admission: Admission,
        *,
        now: Callable[[], datetime],
        patience: float = 600.0,
        pace: Pace | None = None,
    ) -> None:
        self.pace = pace or Pace()
        self._registry = registry
        self._admission = admission
        self._now = now
        self._patience = patience

    async def land(self, records: Sequence[Record]) -> list[Landed]:
        candidates = [Candidate(r.ref, r.certificate, r.error, r.attributes) for r in records]
        deadline = asyncio.get_running_loop().time() + self._patience
        outcomes = await provision(
            candidates, self._registry, admission=self._admission, now=self._now, deadline=deadline
        )
        return [
            Landed(o.identity.name if o.identity else "", o.error, isinstance(o.error, UnfinishedError))
            for o in outcomes
        ]


class QueueLanding:
    """
    The queue behind an ingest API: each device that may be let in is put there, and a worker does the rest.

    *refusal* says why the cloud would never take a device; what it says nothing of is for the worker to find out.
    """

    pace = Pace()

    def __init__(
        self,
        queue: Overflow,
        admission: Admission,
        *,
        refusal: Refusal,
        now: Callable[[], datetime],
        patience: float = 60.0,
    ) -> None:
        self._queue = queue
        self._admission = admission
        self._refusal = refusal
        self._now = now
        self._patience = patience

    async def land(self, records: Sequence[Record]) -> list[Landed]:
        known = [self._identified(record) for record in records]
        waiting = [
            Waiting(record.ref, who.pem, who.fingerprint, who.attributes)
            for record, who in zip(records, known, strict=True)
            if isinstance(who, DeviceIdentity)
        ]
        put = iter(await self._queue.put(waiting, deadline=asyncio.get_running_loop().time() + self._patience))
        return [_queued(who, next(put)) if isinstance(who, DeviceIdentity) else Landed(error=who) for who in known]

    def _identified(self, record: Record) -> DeviceIdentity | FirstlightError:
        try:
            who = self._admission.identify(record.certificate, self._now(), record.attributes)
        except FirstlightError as e:
            return e
        return self._refusal(who) or who


def _queued(who: DeviceIdentity, error: FirstlightError | None) -> Landed:
    return Landed(who.name, error or QueuedError.of(), again=isinstance(error, UnfinishedError))
