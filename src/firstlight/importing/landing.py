"""
Where records go: the little that an import needs of a cloud, or of an ingest API.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from firstlight.errors import FirstlightError, ManifestError, UnfinishedError
from firstlight.manifests import Record
from firstlight.provision import Admission, Candidate, Registry, provision
from firstlight.push import Authorization, Entry, Transport, push


@dataclass(frozen=True, slots=True)
class Landed:
    """
    What became of one record.  `error` is None exactly when the device can connect now.

    `name` is empty where somebody else gives the names; `again` says that trying again may well help.
    """

    name: str = ""
    error: FirstlightError | None = None
    again: bool = False


class Landing(Protocol):
    """
    One destination.
    """

    async def land(self, records: Sequence[Record]) -> Sequence[Landed]:
        """
        Make each record's device able to connect; answer for each, in order.  Only cancellation is raised.
        """


class RegistryLanding:
    """
    The registry of a cloud, called directly.  A slice of records has *patience* seconds.
    """

    def __init__(
        self, registry: Registry, admission: Admission, *, now: Callable[[], datetime], patience: float = 600.0
    ) -> None:
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


class PushLanding:
    """
    An ingest API at *url*, pushed to as a Cloud ID service does; the API names the devices.
    """

    def __init__(self, url: str, authorization: Authorization, transport: Transport) -> None:
        self._url = url
        self._authorization = authorization
        self._transport = transport

    async def land(self, records: Sequence[Record]) -> list[Landed]:
        # a ref is the API's to echo; the place in the file tells records of one ref apart
        entries = [Entry(r.ref, r.certificate, r.source) for r in records]
        answers = await push(
            entries,
            url=self._url,
            authorization=self._authorization,
            chunk=max(1, len(entries)),
            transport=self._transport,
        )
        return [
            Landed() if a.ok else Landed(error=ManifestError(a.message), again=a.again and _may_pass(a.message))
            for a in answers
        ]


def _may_pass(message: str) -> bool:
    # the API's own sentence for what it carries on by itself; asking again at once would only be in its way
    return not message.startswith("queued")
