"""
Push entries in chunks, several at once, and answer for every one of them in order.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from firstlight.push.answers import Answer
from firstlight.push.asking import PROVISION, Ask
from firstlight.push.authorizations import Authorization
from firstlight.push.chunks import chunks
from firstlight.push.entries import Entry
from firstlight.push.exchange import Exchange, Transport, exchange, interop_url

# Seconds; neither a server's Retry-After nor the doubling makes a person wait longer.
_LONGEST_PAUSE = 30.0

OnProgress = Callable[[int], None]


async def push(
    entries: Sequence[Entry],
    *,
    url: str,
    authorization: Authorization,
    chunk: int = 100,
    clients: int = 1,
    retries: int = 0,
    pause: float = 1.0,
    transport: Transport | None = None,
    on_progress: OnProgress = lambda _: None,
    asked: Ask = PROVISION,
) -> list[Answer]:
    """
    Push *entries* to the API at *url*, or ask it what else is *asked*; return one answer for each, in their order.

    Requests of *chunk* entries go out over *clients* connections.  What is not well and may yet
    be is asked again up to *retries* times, *pause* seconds later, doubled each time.
    *on_progress* is told how many more entries have their last answer.  Nothing that a server or
    the network does raises: it becomes the ERROR of the entries it concerns.

    Raises:
        UsageError: *url* cannot be pushed to, or credentials would travel in the clear.
    """
    transport = transport or Transport()
    plan = _Plan(interop_url(url, insecure=transport.insecure), authorization, transport.proxy, chunk, clients, asked)
    answers: dict[int, Answer] = {}
    pending = list(range(len(entries)))
    async with transport.session(clients) as session:
        for left in range(retries, -1, -1):
            exchanges = await _round(session, plan, [entries[i] for i in pending], left, on_progress)
            answers.update(zip(pending, (a for e in exchanges for a in e.answers), strict=True))
            pending = [i for i in pending if _worth_another(answers[i], left)]
            if not pending:
                break
            await asyncio.sleep(_pause(exchanges, pause * 2 ** (retries - left)))
    return [answers[i] for i in range(len(entries))]


@dataclass(frozen=True, slots=True)
class _Plan:
    url: URL
    authorization: Authorization
    proxy: str | None
    chunk: int
    clients: int
    asked: Ask


async def _round(
    session: aiohttp.ClientSession, plan: _Plan, entries: Sequence[Entry], left: int, on_progress: OnProgress
) -> list[Exchange]:
    todo = enumerate(chunks(entries, plan.chunk, plan.asked.action))
    done: dict[int, Exchange] = {}

    async def client() -> None:
        for number, (part, body) in todo:
            got = await exchange(
                session,
                plan.url,
                part,
                body,
                authorization=plan.authorization,
                proxy=plan.proxy,
                asked=plan.asked,
            )
            done[number] = got
            on_progress(sum(not _worth_another(a, left) for a in got.answers))

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.clients):
            group.create_task(client())
    return [done[number] for number in sorted(done)]


def _worth_another(answer: Answer, left: int) -> bool:
    return left > 0 and not answer.ok and answer.again


def _pause(exchanges: Sequence[Exchange], seconds: float) -> float:
    return min(_LONGEST_PAUSE, max(seconds, *(e.retry_after for e in exchanges)))
