"""
Pushes certificates as a Cloud ID service does, and sets what was said against what there is.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.pool import Entry, TokenKey


@dataclass
class Tally:
    """
    What the pushes of one scenario were answered.
    """

    seconds: list[float] = field(default_factory=list)
    rounds: int = 0
    first_errors: int = 0
    unanswered: int = 0
    succeeded: set[str] = field(default_factory=set)
    messages: Counter[str] = field(default_factory=Counter)

    def slowest(self) -> float:
        return max(self.seconds, default=0.0)


class Load:
    """
    One pusher: several clients at once, each pushing its own certificates.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, key: TokenKey) -> None:
        self._session = session
        self._url = f"{url}/interop"
        self._key = key
        self.tally = Tally()

    async def client(self, pushes: Sequence[Sequence[Entry]], *, rounds: int) -> None:
        """
        Push each of *pushes*, then again whatever was answered ERROR, up to *rounds* times in all.
        """
        for entries in pushes:
            left = list(entries)
            for number in range(rounds):
                left = await self._push(left)
                self.tally.rounds = max(self.tally.rounds, number + 1)
                if number == 0:
                    self.tally.first_errors += len(left)
                if not left:
                    break

    async def _push(self, entries: Sequence[Entry]) -> list[Entry]:
        """
        Return the entries that were not answered SUCCESS.
        """
        body = json.dumps({"action": "provision", "certs": [{"ref": e.ref, "cert": e.cert} for e in entries]})
        headers = {"Authorization": f"Bearer {self._key.token()}", "Content-Type": "application/json"}
        begun = time.perf_counter()
        async with self._session.post(self._url, data=body, headers=headers) as response:
            answers: list[dict[str, Any]] = await response.json()
        self.tally.seconds.append(time.perf_counter() - begun)
        told = {answer["ref"]: answer for answer in answers}
        self.tally.unanswered += sum(e.ref not in told for e in entries)
        self.tally.messages.update(a["message"] for a in answers if a["status"] != "SUCCESS")
        done = {e.certificate_id for e in entries if told.get(e.ref, {}).get("status") == "SUCCESS"}
        self.tally.succeeded |= done
        return [e for e in entries if e.certificate_id not in done]


def complete(dump: dict[str, Any]) -> set[str]:
    """
    Return the ids of the certificates that can connect, from the stub's dump.
    """
    on_things = {arn for thing in dump["things"].values() for arn in thing["principals"]}
    able = on_things & dump["attached"].keys()
    return {arn.rpartition("/")[2] for arn in able if dump["certificates"].get(arn.rpartition("/")[2]) == "ACTIVE"}


def able_devices(cloud: str, dump: dict[str, Any]) -> set[str]:
    """
    Return the SHA-256 of the certificates that can connect, from the dump of a stub of *cloud*.
    """
    return {thumbprint.lower() for thumbprint in dump.values()} if cloud == "azure" else complete(dump)


async def push_all(load: Load, clients: Sequence[Sequence[Sequence[Entry]]], *, rounds: int) -> float:
    """
    Let all *clients* push at once; return the seconds it took.
    """
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for pushes in clients:
            group.create_task(load.client(pushes, rounds=rounds))
    return time.perf_counter() - begun
