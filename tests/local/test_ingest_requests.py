"""
What callers send over HTTP, and the one clear sentence each gets.

A3, A5 and so on number the mistakes of the public reference implementation that must not be ours.
"""

import asyncio
import gzip
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firstlight import pki
from firstlight.push import bearer
from firstlight.token_keys import UrlKey
from firstlight.tokens import Bearer, FixedKey, KeySource, VerificationKey
from firstlight.wire import MAX_BODY
from tests.factory import Factory
from tests.local.ingesting import PATIENCE, Heard, Served, Slow, ask, connect, head, hear, ingest, push_body, send

FACTORY = Factory()
_7_MB = 7 * 10**6


def _asked(question: Callable[[Served], Coroutine[Any, Any, Heard]], **served: Any) -> Heard:
    async def run() -> Heard:
        async with ingest(**served) as server:
            return await question(server)

    return asyncio.run(run())


def _asking(method: str, path: str, body: bytes = b"", **headers: object) -> Heard:
    return _asked(lambda server: ask(server.url, method, path, body, **headers))


def test_the_health_route_needs_no_credentials() -> None:
    """
    A load balancer has none.
    """
    answer = _asking("GET", "/", Authorization=None)

    assert (200, b"OK") == (answer.status, answer.body)


def test_a_push_is_answered_in_order() -> None:
    """
    The core behind HTTP is the same core.
    """
    answer = _asking("POST", "/interop", push_body(FACTORY.leaf().pem, FACTORY.ca.pem, FACTORY.leaf().pem))

    assert "application/json" == answer.headers["content-type"]
    assert [("r0", "SUCCESS"), ("r1", "ERROR"), ("r2", "SUCCESS")] == [(a["ref"], a["status"]) for a in answer.json]


def test_a_body_of_7_mb_is_refused_before_it_is_sent() -> None:
    """
    413 in JSON as soon as the head announces it.
    """
    answer = _asked(lambda server: send(server.url, head("POST", "/interop", Content_Length=_7_MB)))

    assert (413, f"The body is over {MAX_BODY} bytes; push fewer certificates at once.") == (
        answer.status,
        answer.json["error"],
    )


def test_a_body_of_7_mb_is_refused_though_its_sender_insists() -> None:
    """
    The sender gets to read the answer, and no broken pipe.
    """
    answer = _asking("POST", "/interop", b" " * _7_MB)

    assert (413, "close") == (answer.status, answer.headers["connection"].lower())


def test_a_chunked_body_of_7_mb_is_refused_where_it_passes_the_limit() -> None:
    """
    It announces no length, and here it never ends.
    """
    chunk = b"186a0\r\n" + b" " * 100_000 + b"\r\n"

    answer = _asked(
        lambda server: send(server.url, head("POST", "/interop", Transfer_Encoding="chunked"), *[chunk] * 70)
    )

    assert 413 == answer.status
    assert "over" in answer.json["error"]


def test_a_chunked_body_is_a_body() -> None:
    """
    Some clients send no other.
    """
    body = push_body(FACTORY.leaf().pem)
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"

    answer = _asked(lambda server: send(server.url, head("POST", "/interop", Transfer_Encoding="chunked"), chunked))

    assert ["SUCCESS"] == [a["status"] for a in answer.json]


def test_a_compressed_body_is_refused_and_not_unpacked() -> None:
    """
    A kilobyte may unpack to a gigabyte.
    """
    answer = _asking("POST", "/interop", gzip.compress(b" " * _7_MB), Content_Encoding="gzip")

    assert (415, "Content-Encoding is not supported; send the body as it is.") == (answer.status, answer.json["error"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "The body is not JSON."),
        (b'{"action": "prov', "The body is not JSON."),
        (b'{"action": "\xff"}', "The body is not UTF-8."),
        (b"[]", "The body is not a JSON object."),
        (b'"provision"', "The body is not a JSON object."),
        (b"[" * 200_000, "The body is not JSON."),
    ],
    ids=["empty", "cut", "latin-1", "list", "text", "deep"],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, error: str) -> None:
    """
    400 in JSON.
    """
    answer = _asking("POST", "/interop", body)

    assert (400, {"error": error}) == (answer.status, answer.json)


def test_0_entries_have_0_answers() -> None:
    """
    An empty reel is no mistake.
    """
    answer = _asking("POST", "/interop", push_body())

    assert (200, []) == (answer.status, answer.json)


def test_10000_entries_have_10000_answers() -> None:
    """
    The most that a push may hold, here of one device.
    """
    entry = json.loads(push_body("x"))["certs"][0]
    body = json.dumps({"action": "provision", "certs": [{**entry, "ref": str(i)} for i in range(10_000)]}).encode()

    answer = _asking("POST", "/interop", body)

    assert [str(i) for i in range(10_000)] == [a["ref"] for a in answer.json]


def test_a17_one_bad_entry_does_not_cost_the_others() -> None:
    """
    A17: the reference answers one bad base64, or one field too many, with 400 for the whole push.
    """
    message = json.loads(push_body(FACTORY.leaf().pem, FACTORY.leaf().pem, FACTORY.leaf().pem))
    message["certs"][0]["more"] = "than needed"
    message["certs"][1]["cert"] = "%%%"

    answer = _asking("POST", "/interop", json.dumps(message).encode())

    assert (200, ["SUCCESS", "ERROR", "SUCCESS"]) == (answer.status, [a["status"] for a in answer.json])


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/interop", 405, "POST"),
        ("PUT", "/interop", 405, "POST"),
        ("HEAD", "/interop", 405, "POST"),
        ("POST", "/", 405, "GET"),
        ("POST", "/auth", 405, "GET"),
        ("GET", "/elsewhere", 404, None),
        ("POST", "/interop/more", 404, None),
        ("OPTIONS", "*", 404, None),
    ],
)
def test_another_method_or_path_is_refused(method: str, path: str, status: int, allow: str | None) -> None:
    """
    405 with what is allowed, or 404, in JSON; and no body for HEAD.
    """
    answer = _asking(method, path)

    assert (status, allow, "application/json") == (
        answer.status,
        answer.headers.get("allow"),
        answer.headers["content-type"],
    )


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: x\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /interop HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /interop HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["TLS", "text", "long header", "many headers", "long path", "smuggling", "negative length"],
)
def test_what_is_not_http_is_answered_and_closed(nonsense: bytes) -> None:
    """
    In JSON, like everything else.
    """
    answer = _asked(lambda server: send(server.url, nonsense))

    assert (400, {"error": "This is not HTTP, or its head is too long."}) == (answer.status, answer.json)


def test_a5_nothing_of_a_body_is_read_before_its_caller_is_known() -> None:
    """
    A5: the reference reads and parses 24 MiB, then says 401.  Here the body is never sent.
    """
    length = 1_000_000

    answer = _asked(
        lambda server: send(server.url, head("POST", "/interop", Authorization=None, Content_Length=length))
    )

    assert (401, {"error": "Missing Authorization Header"}) == (answer.status, answer.json)
    assert "Basic" in answer.headers["www-authenticate"]


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    """
    Curl does, for bodies over a megabyte.
    """
    body = push_body(FACTORY.leaf().pem)

    async def question(server: Served) -> Heard:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await connect(server.url)
            writer.write(head("POST", "/interop", Content_Length=len(body), Expect="100-continue"))
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
            writer.write(body)
            answer = await hear(reader)
            writer.close()
            return answer

    assert ["SUCCESS"] == [a["status"] for a in _asked(question).json]


def test_a_client_that_asks_first_and_may_not_is_refused_at_once() -> None:
    """
    Its body never travels.
    """
    answer = _asked(
        lambda server: send(server.url, head("POST", "/interop", Content_Length=_7_MB, Expect="100-continue"))
    )

    assert 413 == answer.status


def _by_token(keys: KeySource, key: pki.PrivateKey, times: int = 1) -> list[Heard]:
    async def run() -> list[Heard]:
        token = bearer(key, "123456789012", now=lambda: datetime.now(UTC))()
        async with ingest(guard=Bearer(keys=keys, audience="123456789012")) as server:
            return [await ask(server.url, "GET", "/auth", Authorization=token) for _ in range(times)]

    return asyncio.run(run())


def test_a3_a_token_is_believed_by_the_operators_key_alone() -> None:
    """
    A3: the reference trusts an unpinned object in somebody's bucket.
    """
    ours, theirs = pki.new_key(), pki.new_key()
    pinned = FixedKey(VerificationKey(ours.public_key(), ("ES256",)))

    assert [200, 401] == [_by_token(pinned, key)[0].status for key in (ours, theirs)]


def test_a9_the_key_is_fetched_once_for_many_requests() -> None:
    """
    A9: the reference means to keep it for 600 s, and keeps it for 0.6.
    """
    key, fetched = pki.new_key(), []
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return pem

    answers = _by_token(UrlKey("https://service.example/key.pem", fetch), key, times=10)

    assert [200] * 10 == [answer.status for answer in answers]
    assert ["https://service.example/key.pem"] == fetched


def test_a10_a_key_that_cannot_be_fetched_is_not_the_callers_fault() -> None:
    """
    A10: the reference says 401 after three seconds; the caller then thinks its token is bad.
    """

    def fetch(url: str) -> bytes:
        raise OSError(url)

    (answer,) = _by_token(UrlKey("https://service.example/key.pem", fetch), pki.new_key())

    assert 503 == answer.status
    assert int(answer.headers["retry-after"]) > 0
    assert "cannot be fetched just now" in answer.json["error"]


def test_a19_a_push_is_told_when_to_end() -> None:
    """
    A19: before whoever is in front gives up, counted from its arrival.
    """
    registry = Slow()
    registry.go.set()

    _asked(
        lambda server: ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem)), registry=registry, deadline=7
    )

    assert [pytest.approx(7, abs=6)] == registry.seconds_left
