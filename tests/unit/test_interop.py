import asyncio
import base64
import json
from typing import Any

import pytest

from firstlight.errors import KeyUnavailableError, UnauthorizedError
from firstlight.identity import Naming, NamingRule
from firstlight.interop import Interop, Reply, Request
from firstlight.provision import Admission
from firstlight.registries.memory import MemoryRegistry
from firstlight.wire import MAX_BODY, MAX_ENTRIES
from tests.factory import Factory, at_noon


class _Password:
    """
    A guard that knows one word.
    """

    challenge = "Password"

    async def require(self, authorization: str | None) -> None:
        if authorization == "no key":
            raise KeyUnavailableError("The service's public key cannot be fetched just now.")
        if authorization != "sesame":
            raise UnauthorizedError("Token invalid")


def _interop(registry: MemoryRegistry | None = None) -> Interop:
    return Interop(
        registry=registry or MemoryRegistry("ats.example"),
        guard=_Password(),
        admission=Admission(rule=NamingRule(Naming.SERIAL, "Infineon_")),
        topic="iqs",
        now=at_noon,
    )


def _ask(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/interop",
    registry: MemoryRegistry | None = None,
    **headers: str,
) -> Reply:
    request = Request(method, path, {"authorization": "sesame", **headers}, body)
    return asyncio.run(_interop(registry).answer(request, deadline=0))


def _push(*certs: Any, registry: MemoryRegistry | None = None) -> Reply:
    return _ask(json.dumps({"action": "provision", "certs": certs}).encode(), registry=registry)


def _entry(ref: str, pem: str | bytes) -> dict[str, str]:
    return {"ref": ref, "cert": base64.b64encode(pem.encode() if isinstance(pem, str) else pem).decode()}


def _answers(reply: Reply) -> list[dict[str, Any]]:
    assert 200 == reply.status, reply.body
    value = json.loads(reply.body)
    assert isinstance(value, list)
    return value


def _error(reply: Reply) -> str:
    assert "application/json" == reply.headers["Content-Type"]
    return str(json.loads(reply.body)["error"])


def test_the_answer_is_the_protocols_byte_for_byte(factory: Factory) -> None:
    """
    An array in the order of the request; no other fields, no other names.
    """
    leaf = factory.leaf(serial=0x15FC8EA1)

    reply = _push(_entry("a", leaf.pem), {"ref": "b", "cert": "?"})

    assert (
        b'[{"ref":"a","status":"SUCCESS","endpoint":"ats.example","topic":"iqs","policyApplied":true},'
        b'{"ref":"b","status":"ERROR","message":"Cannot decode certificate: cert is not base64, or cut short."}]'
    ) == reply.body
    assert ["a", "b"] == [o.ref for o in reply.outcomes]


def test_names_are_the_references(factory: Factory) -> None:
    """
    Prefix and serial, the leading zero kept.
    """
    registry = MemoryRegistry()

    _push(_entry("a", factory.leaf(serial=0x455AECB).pem), registry=registry)

    assert ["Infineon_0455aecb"] == list(registry.devices)


def test_der_and_chains_and_wrapped_base64_are_accepted(factory: Factory) -> None:
    """
    Manifests and PKIs deliver all of these.
    """
    one, two, three = (factory.leaf() for _ in range(3))
    wrapped = base64.encodebytes(three.pem.encode()).decode()

    reply = _push(_entry("der", one.der), _entry("chain", two.pem + factory.ca.pem), {"ref": "wrap", "cert": wrapped})

    assert ["SUCCESS"] * 3 == [a["status"] for a in _answers(reply)]


def test_the_open_route_and_the_guarded_ones() -> None:
    """
    GET / is for anyone; GET /auth and POST /interop are for callers who prove themselves.
    """
    assert (200, b"OK") == ((r := _ask(method="GET", path="/", authorization="")).status, r.body)
    assert (200, b"OK") == ((r := _ask(method="GET", path="/auth")).status, r.body)
    for method, path in (("GET", "/auth"), ("POST", "/interop")):
        refused = _ask(b"{", method=method, path=path, authorization="guess")
        assert 401 == refused.status
        assert "Token invalid" == _error(refused)
        assert "Password" == refused.headers["WWW-Authenticate"]


def test_a5_nothing_is_parsed_for_a_stranger() -> None:
    """
    A body that would be refused as too large is not even measured before the caller is known.
    """
    assert 401 == _ask(b" " * (MAX_BODY + 1), authorization="guess").status


def test_a10_key_trouble_is_503_with_retry_after() -> None:
    """
    So the pusher tries again instead of giving up.
    """
    reply = _ask(authorization="no key")

    assert 503 == reply.status
    assert "30" == reply.headers["Retry-After"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/interop", 405), ("POST", "/", 405), ("GET", "/x", 404)]
)
def test_other_routes_are_refused_in_json(method: str, path: str, status: int) -> None:
    """
    A wrong URL in the console ends in a sentence.
    """
    reply = _ask(method=method, path=path)

    assert status == reply.status
    assert _error(reply)
    assert (status == 405) == ("Allow" in reply.headers)


def test_the_other_actions() -> None:
    """
    As the reference answers them.
    """
    assert {"action": "info", "compatibilityVersion": 1} == json.loads(_ask(b'{"action":"info"}').body)
    for action in ("status", "message"):
        answer = json.loads(_ask(json.dumps({"action": action}).encode()).body)
        assert {"message": "Not yet implemented.", "action": action} == answer


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"provision"', "not a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"action":"provision","certs":["\xff"]}', "not UTF-8"),
        (b"{}", "action must be one of"),
        (b'{"action":"delete"}', "action must be one of"),
        (b'{"action":["provision"]}', "action must be one of"),
        (b'{"action":"provision"}', "certs must be a list"),
        (b'{"action":"provision","certs":{}}', "certs must be a list"),
        (b'{"action":"provision","certs":[1]}', "certs[0] is not an object"),
        (b'{"action":"provision","certs":[{"cert":"x"}]}', "certs[0].ref"),
        (b'{"action":"provision","certs":[{"ref":7,"cert":"x"}]}', "certs[0].ref"),
        (b'{"action":"provision","action":"info"}', "'action' twice"),
    ],
)
def test_a17_what_is_not_the_protocol_is_400_in_one_sentence(body: bytes, reason: str) -> None:
    """
    Never a 500, and the sentence names the place.
    """
    reply = _ask(body)

    assert 400 == reply.status
    assert reason in _error(reply)


def test_a17_one_bad_entry_does_not_sink_the_push(factory: Factory) -> None:
    """
    Undecodable, cut short, missing, of the wrong type, with a key twice or with extra ones: its own ERROR.
    """
    good = factory.leaf()
    entry = json.dumps(_entry("twice", good.pem))[:-1] + ', "cert": "AAAA"}'
    certs = [
        {"ref": "missing"},
        {"ref": "type", "cert": 7},
        {"ref": "empty", "cert": " "},
        {"ref": "odd", "cert": "QUJ"},
        {"ref": "short", "cert": _entry("", good.pem)["cert"][:400]},
        {"ref": "extra", **{k: v for k, v in _entry("", good.pem).items() if k == "cert"}, "colour": "blue"},
    ]
    body = json.dumps({"action": "provision", "certs": certs})[:-2] + ", " + entry + "]}"

    answers = _answers(_ask(body.encode()))

    assert ["ERROR"] * 5 + ["SUCCESS", "ERROR"] == [a["status"] for a in answers]
    assert ["missing", "type", "empty", "odd", "short", "extra", "twice"] == [a["ref"] for a in answers]
    assert "'cert' twice" in answers[-1]["message"]


def test_keys_given_very_often_are_counted_once() -> None:
    """
    A small body must not keep the endpoint busy: counting is linear, and the sentence stays short.
    """
    keys = ",".join(f'"k{i}":0,"k{i}":0' for i in range(100_000))

    reply = _ask(f'{{"action":"provision","certs":[],{keys}}}'.encode())

    assert 400 == reply.status
    assert len(_error(reply)) < 200


def test_none_and_very_many_entries() -> None:
    """
    An empty push is answered with an empty list, a push of ten thousand with ten thousand answers.
    """
    assert [] == _answers(_push())
    many = _answers(_push(*({"ref": str(i), "cert": "AAAA"} for i in range(MAX_ENTRIES))))
    assert [str(i) for i in range(MAX_ENTRIES)] == [a["ref"] for a in many]
    assert 413 == _push(*({"ref": "", "cert": ""} for _ in range(MAX_ENTRIES + 1))).status


def test_a19_a_body_over_the_limit_is_413_in_json() -> None:
    """
    The limit is one the deployment really has.
    """
    reply = _ask(b" " * 7 * 2**20)

    assert 413 == reply.status
    assert "push fewer" in _error(reply)


def test_a_compressed_body_is_415() -> None:
    """
    Nothing is inflated for anybody.
    """
    reply = _ask(b"\x1f\x8b", **{"content-encoding": "gzip"})

    assert 415 == reply.status
    assert "Content-Encoding" in _error(reply)


def test_refs_come_back_as_they_were_sent(factory: Factory) -> None:
    """
    Any string: empty, repeated, not ASCII, half a surrogate pair.
    """
    pem = factory.leaf().pem
    refs = ["", "a", "a", "ü€😀", '"\\\n', "\ud800"]

    assert refs == [a["ref"] for a in _answers(_push(*(_entry(r, pem) for r in refs)))]
    assert 400 == _push(_entry("x" * 300, pem)).status


def test_an_answer_is_never_longer_than_a_lambda_may_say() -> None:
    """
    It repeats every ref, and what is one character there may be six here.
    """
    refs = [{"ref": "Ж" * 200, "cert": ""} for _ in range(2900)]

    assert 413 == _push(*refs).status
