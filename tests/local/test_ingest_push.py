"""
The pusher against servers that keep the protocol, and such as do not.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from firstlight import pki
from firstlight.backlog import work
from firstlight.identity import NamingRule
from firstlight.provision import Admission
from firstlight.push import ASYNC, STATUS, Answer, Ask, Entry, Transport, basic, bearer, push
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.memory import MemoryRegistry
from firstlight.tokens import Bearer, FixedKey, VerificationKey
from tests.factory import Factory, at_noon
from tests.local.ingesting import ingest

FACTORY = Factory()
ME = basic("me", "secret")
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _server(handle: Handle) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


def _entries(count: int) -> list[Entry]:
    return [Entry(f"r{i}", b"certificate %d" % i, f"r{i}.pem") for i in range(count)]


def _pushed(handle: Handle, count: int = 2, **options: Any) -> list[Answer]:
    async def run() -> list[Answer]:
        async with _server(handle) as url:
            return await push(_entries(count), url=url, **{"authorization": ME, "pause": 0, **options})

    return asyncio.run(run())


def _messages(handle: Handle, **options: Any) -> set[str]:
    answers = _pushed(handle, **options)
    assert ["r0", "r1"] == [answer.ref for answer in answers if not answer.ok]
    return {answer.message for answer in answers}


async def _good(request: web.BaseRequest) -> web.Response:
    """
    Answer as the protocol says, with each certificate for an endpoint.
    """
    message = json.loads(await request.read())
    return web.json_response(
        [
            {
                "ref": c["ref"],
                "status": "SUCCESS",
                "endpoint": base64.b64decode(c["cert"]).decode(),
                "topic": "iqs",
                "policyApplied": True,
            }
            for c in message["certs"]
        ]
    )


def test_a_reel_is_pushed_to_our_own_ingest() -> None:
    """
    Both halves of the protocol, with a token; pushed again, nothing changes.
    """
    key = pki.new_key()
    guard = Bearer(keys=FixedKey(VerificationKey(key.public_key(), ("ES256",))), audience="123456789012")
    reel = [Entry(f"d{i}", FACTORY.leaf().pem.encode()) for i in range(25)]

    async def run() -> list[list[Answer]]:
        token = bearer(key, "123456789012", now=lambda: datetime.now(UTC))
        async with ingest(guard=guard) as server:
            return [await push(reel, url=server.url, authorization=token, chunk=10) for _ in range(2)]

    first, second = asyncio.run(run())

    assert [(f"d{i}", "SUCCESS", "memory.example", "iqs") for i in range(25)] == [
        (a.ref, a.status, a.endpoint, a.topic) for a in first
    ]
    assert first == second


def test_answers_come_in_the_order_of_the_entries_however_many_clients() -> None:
    """
    The last request is answered first here.
    """
    waiting: list[asyncio.Event] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        response = await _good(request)
        turn = asyncio.Event()
        waiting.append(turn)
        if len(waiting) < 4:
            await turn.wait()
        waiting[len(waiting) - 2].set()
        waiting.pop()
        return response

    answers = _pushed(handle, count=40, chunk=10, clients=4)

    assert [f"certificate {i}" for i in range(40)] == [answer.endpoint for answer in answers]


def test_progress_is_told_until_every_entry_has_its_answer() -> None:
    """
    An entry that is pushed again does not count twice.
    """
    told: list[int] = []
    asked = 0

    async def handle(request: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=503) if asked == 2 else await _good(request)

    _pushed(handle, count=30, chunk=10, retries=3, on_progress=told.append)

    assert [10, 0, 10, 10] == told


def test_only_what_failed_is_pushed_again() -> None:
    """
    And not more often than asked.
    """
    pushed: list[list[str]] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        refs = [c["ref"] for c in json.loads(await request.read())["certs"]]
        pushed.append(refs)
        return web.json_response(
            [
                {"ref": ref, "status": "ERROR", "message": "push again"}
                if ref == "r1"
                else {"ref": ref, "status": "SUCCESS", "endpoint": "e", "topic": "iqs", "policyApplied": True}
                for ref in refs
            ]
        )

    answers = _pushed(handle, count=3, retries=2)

    assert [["r0", "r1", "r2"], ["r1"], ["r1"]] == pushed
    assert [True, False, True] == [answer.ok for answer in answers]


def test_what_cannot_change_is_not_pushed_again() -> None:
    """
    A refused token stays refused.
    """
    asked = 0

    async def handle(request: web.BaseRequest) -> web.Response:
        nonlocal asked
        del request
        asked += 1
        return web.json_response({"error": "Token invalid"}, status=401)

    _pushed(handle, retries=5)

    assert 1 == asked


HTML = "<html><h1>Bad Gateway</h1></html>"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            (401, '{"error":"Token invalid"}', "application/json"),
            "The server refused the credentials (401): Token invalid",
        ),
        (
            (403, '{"message":"Forbidden"}', "application/json"),
            "The server does not allow this caller (403): Forbidden",
        ),
        (
            (413, '{"error":"The body is over 6 bytes."}', "application/json"),
            "The push is too large for the server; make it smaller with --chunk (413): The body is over 6 bytes.",
        ),
        (
            (502, HTML, "text/html"),
            "The server could not answer (502): its body is text/html, not the protocol's JSON.",
        ),
        (
            (200, HTML, "text/html"),
            "The server's answer is not one to a push (200): its body is text/html, not the protocol's JSON.",
        ),
        ((200, HTML, "application/json"), "The server's answer is not JSON."),
        ((200, "{}", "application/json"), "The server's answer is not a list."),
        ((204, "", "text/plain"), "The server's answer is not one to a push (204): its body is"),
        (
            (404, "no", "text/plain"),
            "There is no ingest API at this URL (404): its body is text/plain, not the protocol's JSON.",
        ),
        (
            (503, '{"error":"The key cannot be fetched."}', "application/json"),
            "The server asks to push again later (503): The key cannot be fetched.",
        ),
    ],
)
def test_an_http_error_is_one_sentence_of_each_entry(response: tuple[int, str, str], message: str) -> None:
    """
    With the status, and what the server gave as the reason.
    """
    status, body, kind = response

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=status, text=body, content_type=kind)

    (said,) = _messages(handle)

    assert said.startswith(message)


def test_a_redirect_is_not_followed() -> None:
    """
    The credentials would go along.
    """
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    (said,) = _messages(handle)

    assert said.startswith("The server redirects elsewhere, and credentials do not follow (307)")
    assert ["/interop"] == seen


def test_a_server_that_hangs_up_is_said() -> None:
    """
    Whether before its answer or within.
    """

    async def before(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def within(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"[")
        assert request.transport is not None
        request.transport.close()
        return response

    assert {"The server closed the connection without an answer."} == _messages(before)
    assert {"The server's answer was cut short."} == _messages(within)


def test_a_server_that_does_not_answer_is_given_up() -> None:
    """
    After the time it was given.
    """

    async def handle(request: web.BaseRequest) -> web.Response:
        del request
        await asyncio.Event().wait()
        raise AssertionError

    assert {"The server did not answer in time."} == _messages(handle, transport=Transport(timeout=0.2))


def test_no_server_is_said() -> None:
    """
    With the system's reason.
    """

    async def run() -> set[str]:
        async with _server(_good) as url:
            pass
        return {answer.message for answer in await push(_entries(2), url=url, authorization=ME)}

    assert {"The server cannot be reached: Connection refused."} == asyncio.run(run())


def test_an_endless_answer_is_given_up() -> None:
    """
    It does not fill our memory.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 2**20)

    assert {"The server's answer is too large for one to a push."} == _messages(handle)


def test_one_failed_request_does_not_cost_the_others() -> None:
    """
    Its entries are ERROR, in their places.
    """
    asked = 0

    async def handle(request: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=500) if asked == 2 else await _good(request)

    answers = _pushed(handle, count=6, chunk=2)

    assert [True, True, False, False, True, True] == [answer.ok for answer in answers]


def test_nothing_to_push_asks_nobody() -> None:
    """
    And has no answers.
    """

    async def run() -> list[Answer]:
        return await push([], url="http://127.0.0.1:9", authorization=ME)

    assert [] == asyncio.run(run())


def test_a_push_need_not_wait_for_the_cloud() -> None:
    """
    PENDING from the server, QUEUED when asked, READY when a worker has been there; never pushed is UNKNOWN.
    """

    async def promise() -> list[list[str]]:
        queue, registry, stranger = MemoryQueue(), MemoryRegistry("memory.example"), Entry("s", FACTORY.leaf().der)
        pushed = [Entry(f"r{i}", FACTORY.leaf().der) for i in range(3)]
        async with ingest(registry, overflow=queue, inspector=registry) as served:

            async def said(asked: Ask, *entries: Entry) -> list[str]:
                answers = await push(entries, url=served.url, authorization=ME, asked=asked)
                return [answer.status for answer in answers]

            first = [await said(ASYNC, *pushed), await said(STATUS, *pushed, stranger)]
            messages = await queue.receive(wait=1)
            admission = Admission(rule=NamingRule(prefix="Infineon_"))
            await work(messages, registry, admission=admission, now=at_noon, deadline=0)
            return [*first, await said(STATUS, *pushed)]

    assert [["PENDING"] * 3, ["QUEUED"] * 3 + ["UNKNOWN"], ["READY"] * 3] == asyncio.run(promise())
