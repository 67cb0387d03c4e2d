"""
The function app by its own entry point, as the Functions worker loads and calls it.
"""

import asyncio
import base64
import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firstlight import pki
from firstlight.endpoint import interop_from
from firstlight.identity import DeviceIdentity
from firstlight.provision import Registration, Registry
from firstlight.push import bearer
from firstlight.registries.memory import MemoryRegistry
from firstlight.settings import PREFIX, Settings
from tests import azure_function
from tests.azure_function import App, request
from tests.factory import Factory, at_noon

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
KEY = pki.new_key()
BASIC = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def _app(registry: Registry) -> App:
    app = azure_function.load()
    settings = Settings(basic_credentials="me:secret", hub="hub.azure-devices.net")
    service = (interop_from(settings, registry, now=at_noon), settings.deadline)
    app.module.service = lambda: service  # type: ignore[attr-defined]
    return app


def _answers(app: App, *requests: func.HttpRequest) -> list[func.HttpResponse]:
    async def run() -> list[func.HttpResponse]:
        return [await app.answer(r) for r in requests]

    return asyncio.run(run())


def _push(*pems: str) -> bytes:
    certs = [{"ref": f"r{i}", "cert": base64.b64encode(pem.encode()).decode()} for i, pem in enumerate(pems)]
    return json.dumps({"action": "provision", "certs": certs}).encode()


def test_the_shell_is_thin() -> None:
    """
    At most 60 lines a file, and no route prefix: the URL is the app's own.
    """
    assert max(len(file.read_text("utf-8").splitlines()) for file in azure_function.FILE.parent.glob("*.py")) <= 60
    host = json.loads(azure_function.FILE.with_name("host.json").read_text("utf-8"))
    assert "" == host["extensions"]["http"]["routePrefix"]


def test_one_function_takes_every_path() -> None:
    """
    Any method, so that the core says 404 and 405 as it does everywhere; anonymous, since it checks tokens itself.
    """
    (trigger,) = [
        b for b in json.loads(str(azure_function.load().functions["interop"]))["bindings"] if b["type"] == "httpTrigger"
    ]

    assert ("{*path}", "ANONYMOUS") == (trigger["route"], trigger["authLevel"])
    assert not trigger.get("methods")


def test_the_three_routes_are_answered(factory: Factory) -> None:
    """
    The same endpoint as behind API Gateway; the device's name is its serial, without a prefix.
    """
    registry = MemoryRegistry("hub.azure-devices.net")
    alive, known, pushed, absent = _answers(
        _app(registry),
        request("GET", "/"),
        request("GET", "/auth", headers=BASIC),
        request("POST", "/interop", _push(factory.leaf(serial=0x455AECB).pem), headers=BASIC),
        request("GET", "/nothing", headers=BASIC),
    )

    assert [(200, b"OK")] * 2 == [(r.status_code, r.get_body()) for r in (alive, known)]
    assert "text/plain" == alive.headers["Content-Type"]
    (answer,) = json.loads(pushed.get_body())
    assert ("SUCCESS", "hub.azure-devices.net") == (answer["status"], answer["endpoint"])
    assert ["0455aecb"] == list(registry.devices)
    assert 404 == absent.status_code


def test_header_names_may_come_in_any_case() -> None:
    """
    The host keeps them as the caller wrote them.
    """
    (reply,) = _answers(
        _app(MemoryRegistry()), request("GET", "/auth", headers={"aUTHORIZATION": BASIC["Authorization"]})
    )

    assert 200 == reply.status_code


@pytest.mark.parametrize(("body", "sentence"), [(b"", "The body is not JSON."), (b"\xff", "The body is not UTF-8.")])
def test_a_broken_body_is_the_callers_mistake(body: bytes, sentence: str) -> None:
    """
    400 in JSON, not 500.
    """
    (reply,) = _answers(_app(MemoryRegistry()), request("POST", "/interop", body, headers=BASIC))

    assert (400, {"error": sentence}) == (reply.status_code, json.loads(reply.get_body()))


class _Broken:
    async def register(self, devices: list[DeviceIdentity], *, deadline: float) -> list[Registration]:
        raise ZeroDivisionError(f"{devices} {deadline}")


def test_an_unexpected_error_is_one_500_and_one_line(factory: Factory, caplog: pytest.LogCaptureFixture) -> None:
    """
    Its line names type and place; no line has a certificate, a token or a body.
    """
    caplog.set_level(logging.INFO, "firstlight")
    body = _push(factory.leaf().pem)

    (reply,) = _answers(_app(_Broken()), request("POST", "/interop", body, headers=BASIC))

    assert (500, {"error": "Internal error"}) == (reply.status_code, json.loads(reply.get_body()))
    failure, line = map(json.loads, caplog.messages)
    assert ("failure", "ZeroDivisionError", "request", 500) == (
        failure["event"],
        failure["type"],
        line["event"],
        line["status"],
    )
    assert not [secret for secret in (body[60:90].decode(), "Basic", "secret") if secret in caplog.text]


def test_what_is_logged_is_json_that_the_alerts_read(
    factory: Factory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A line for the request, the device and the metrics, and nothing of another cloud in them.
    """
    caplog.set_level(logging.INFO, "firstlight")
    monkeypatch.setenv("REGION_NAME", "West Europe")
    monkeypatch.setenv("WEBSITE_SITE_NAME", "firstlight-x")

    _answers(_app(MemoryRegistry()), request("POST", "/interop", _push(factory.leaf().pem), headers=BASIC))

    lines = [json.loads(m) for m in caplog.messages]
    assert ["request", "device", "metrics"] == [line["event"] for line in lines]
    assert {"Refused": 0, "Throttled": 0, "Provisioned": 1} == {
        k: lines[2][k] for k in ("Refused", "Throttled", "Provisioned")
    }
    assert ("West Europe", "firstlight-x") == (lines[2]["region"], lines[2]["function"])
    assert "_aws" not in lines[2]


def test_wrong_settings_are_a_500_and_a_sentence_until_they_are_right(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Not an app that fails to load, again and again, without a word.
    """
    caplog.set_level(logging.INFO, "firstlight")
    app = azure_function.load()
    (wrong,) = _answers(app, request("GET", "/"))
    failure: dict[str, Any] = json.loads(caplog.messages[0])
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    settings = Settings(audience=SUBSCRIPTION, token_key=public, hub="hub.azure-devices.net")
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    tokens = [
        bearer(key, audience, now=lambda: datetime.now(UTC))()
        for key, audience in ((KEY, SUBSCRIPTION), (KEY, "another"), (pki.new_key(), SUBSCRIPTION))
    ]
    replies = _answers(app, *(request("GET", "/auth", headers={"Authorization": t}) for t in tokens))

    assert (500, "SettingsError") == (wrong.status_code, failure["type"])
    assert [200, 401, 401] == [r.status_code for r in replies]
