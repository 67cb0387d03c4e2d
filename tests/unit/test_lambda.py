import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firstlight import pki
from firstlight.endpoint import interop_from
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration, Registry
from firstlight.push import bearer
from firstlight.registries.memory import MemoryRegistry
from firstlight.settings import Settings
from lambdas import interop as function
from lambdas import invocation
from tests.factory import Factory, at_noon

KEY = pki.new_key()
ACCOUNT = "123456789012"
ROOT = Path(__file__).parents[2]


@dataclass
class _Context:
    aws_request_id: str = "request-7"
    function_name: str = "interop"
    milliseconds: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.fixture(autouse=True)
def _own_loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with asyncio.Runner() as runner:
        monkeypatch.setattr(invocation, "runner", runner)
        monkeypatch.setattr(function, "service", cache(function.service.__wrapped__))
        yield


def _serve(monkeypatch: pytest.MonkeyPatch, registry: Registry, *, deadline: int = 25) -> None:
    settings = Settings(basic_credentials="me:secret", deadline=deadline)
    service = (interop_from(settings, registry, now=at_noon), settings.deadline)
    monkeypatch.setattr(function, "service", lambda: service)


BASIC = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


def _event(method: str, path: str, body: str | None = None, **more: Any) -> dict[str, Any]:
    several = {name: [value] for name, value in BASIC.items()}
    return {"httpMethod": method, "path": path, "headers": BASIC, "multiValueHeaders": several, "body": body, **more}


def _push(*pems: str) -> str:
    certs = [{"ref": f"r{i}", "cert": base64.b64encode(pem.encode()).decode()} for i, pem in enumerate(pems)]
    return json.dumps({"action": "provision", "certs": certs})


def test_the_three_routes_are_answered(monkeypatch: pytest.MonkeyPatch, factory: Factory) -> None:
    """
    As a REST proxy integration wants its answers: a status, headers, and text.
    """
    _serve(monkeypatch, MemoryRegistry("ats.example"))

    alive = function.handler(_event("GET", "/", multiValueHeaders=None, headers=None), _Context())
    known = function.handler(_event("GET", "/auth"), _Context())
    pushed = function.handler(_event("POST", "/interop", _push(factory.leaf().pem)), _Context())

    assert {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "OK"} == alive == known
    assert 200 == pushed["statusCode"]
    assert ["SUCCESS"] == [answer["status"] for answer in json.loads(pushed["body"])]


def test_a_base64_body_is_the_same_body(monkeypatch: pytest.MonkeyPatch, factory: Factory) -> None:
    """
    The gateway encodes what its binary media types match.
    """
    _serve(monkeypatch, MemoryRegistry("ats.example"))
    body = base64.b64encode(_push(factory.leaf().pem).encode()).decode()

    reply = function.handler(_event("POST", "/interop", body, isBase64Encoded=True), _Context())

    assert ["SUCCESS"] == [answer["status"] for answer in json.loads(reply["body"])]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(None, "The body is not JSON."), ("", "The body is not JSON."), ("\ud800", "The body is not UTF-8.")],
)
def test_a_missing_or_broken_body_is_the_callers_mistake(
    monkeypatch: pytest.MonkeyPatch, body: str | None, sentence: str
) -> None:
    """
    400 in JSON, not 500.
    """
    _serve(monkeypatch, MemoryRegistry())

    reply = function.handler(_event("POST", "/interop", body), _Context())

    assert (400, {"error": sentence}) == (reply["statusCode"], json.loads(reply["body"]))


def test_headers_may_come_once_or_as_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In any case; and two Authorization headers are none.
    """
    _serve(monkeypatch, MemoryRegistry())
    lower = {"authorization": BASIC["Authorization"]}

    single = function.handler(_event("GET", "/auth", headers=lower, multiValueHeaders=None), _Context())
    double = function.handler(
        _event("GET", "/auth", multiValueHeaders={"Authorization": [BASIC["Authorization"]] * 2}), _Context()
    )

    assert (200, 401) == (single["statusCode"], double["statusCode"])


class _Watch:
    """
    Registers nothing, and remembers how long it might have taken.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def register(self, devices: list[DeviceIdentity], *, deadline: float) -> list[Registration]:
        loop = asyncio.get_running_loop()
        self.loops.add(loop)
        self.seconds.append(deadline - loop.time())
        return [Registration("host")] * len(devices)


@pytest.mark.parametrize(
    ("setting", "milliseconds", "seconds"), [(25, 900_000, 25.0), (25, 10_000, 9.0), (25, 500, -0.5)]
)
def test_a19_a_push_ends_before_the_invocation_and_before_the_gateway_gives_up(
    monkeypatch: pytest.MonkeyPatch, factory: Factory, setting: int, milliseconds: int, seconds: float
) -> None:
    """
    A19: what the caller no longer waits for must not go on beside its retry.
    """
    watch = _Watch()
    _serve(monkeypatch, watch, deadline=setting)

    function.handler(_event("POST", "/interop", _push(factory.leaf().pem)), _Context(milliseconds=milliseconds))

    (given,) = watch.seconds
    # never more; a machine that stands still takes some of it
    assert seconds - 5 < given < seconds + 0.01


def test_invocations_share_one_event_loop(monkeypatch: pytest.MonkeyPatch, factory: Factory) -> None:
    """
    The registry's connections live as long as the process.
    """
    watch = _Watch()
    _serve(monkeypatch, watch)

    for _ in range(3):
        function.handler(_event("POST", "/interop", _push(factory.leaf().pem)), _Context())

    assert 1 == len(watch.loops)


class _Broken:
    async def register(self, devices: list[DeviceIdentity], *, deadline: float) -> list[Registration]:
        raise ZeroDivisionError(f"{devices} {deadline}")


def test_an_unexpected_error_is_one_500_and_one_line(
    monkeypatch: pytest.MonkeyPatch, factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The line names type and request, never the event.
    """
    _serve(monkeypatch, _Broken())
    body = _push(factory.leaf().pem)

    reply = function.handler(_event("POST", "/interop", body), _Context())

    assert (500, '{"error":"Internal error"}') == (reply["statusCode"], reply["body"])
    log = capsys.readouterr().out
    failure, request = map(json.loads, log.splitlines())
    assert ("failure", "ZeroDivisionError", "request-7") == (failure["event"], failure["type"], failure["request_id"])
    assert ("request", 500) == (request["event"], request["status"])
    assert not [secret for secret in (body[60:90], "Basic", "Infineon_") if secret in log]


@pytest.mark.parametrize("event", [{}, {"Records": []}, _event("POST", "/interop", "%", isBase64Encoded=True)])
def test_an_event_that_is_no_request_is_a_500(event: dict[str, Any]) -> None:
    """
    A test event of the console, say; the next invocation finds the process alive.
    """
    reply = function.handler(event, _Context())

    assert (500, {"error": "Internal error"}) == (reply["statusCode"], json.loads(reply["body"]))


def test_wrong_settings_are_a_500_and_a_sentence_until_they_are_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Not a process that dies at its import, again and again, without a word.
    """
    for name in ("FIRSTLIGHT_AUDIENCE", "FIRSTLIGHT_TOKEN_KEY"):
        monkeypatch.delenv(name, raising=False)

    wrong = function.handler(_event("GET", "/"), _Context())
    failure = json.loads(capsys.readouterr().out.splitlines()[0])
    _set_up(monkeypatch)
    right = function.handler(_event("GET", "/"), _Context())

    assert (500, 200) == (wrong["statusCode"], right["statusCode"])
    assert "SettingsError" == failure["type"]
    assert failure["message"].startswith("FIRSTLIGHT_AUDIENCE with a FIRSTLIGHT_TOKEN_KEY")


def _set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    settings = Settings(audience=ACCOUNT, token_key=public)
    lambdas_own = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    for name, value in {**settings.to_env(), **lambdas_own}.items():
        monkeypatch.setenv(name, value)


def test_the_environment_of_the_stack_makes_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Tokens of the service for this account are believed, others are not; nothing is asked of AWS for that.
    """
    _set_up(monkeypatch)
    tokens = [
        bearer(key, audience, now=lambda: datetime.now(UTC))()
        for key, audience in ((KEY, ACCOUNT), (KEY, "210987654321"), (pki.new_key(), ACCOUNT))
    ]

    replies = [
        function.handler(_event("GET", "/auth", multiValueHeaders={"Authorization": [token]}), _Context())["statusCode"]
        for token in tokens
    ]

    assert [200, 401, 401] == replies


# not urllib.request: PyJWT loads it, in 3 ms, for a class of its own that we have no use for
