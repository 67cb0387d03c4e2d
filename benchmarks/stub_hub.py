"""
A light stand-in for an IoT Hub's registry and its tokens: quick enough to measure against, cruel on request.

HTTPS on one port is the hub; plain HTTP on another is a managed identity's endpoint (`/token`) and the
controls: `POST /__stub/weather` (see stub_limits), `/__stub/reset`, `/__stub/report`, `/__stub/dump`.
"""

import argparse
import asyncio
import json
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from benchmarks.stub_hub_registry import HubRegistry, Refused
from benchmarks.stub_limits import HANG, LATE, LOST, Limits
from firstlight import pki

_SILENT = frozenset({HANG, LATE, LOST})
# Faults that are a whole answer of their own.
HTML = "html"
_STATUS = {"401": "IotHubUnauthorizedAccess", "403": "IotHubUnauthorizedAccess", "429": "ThrottlingBacklogTimeout"}


class StubHub:
    """
    The registry, the weather, a count of what was called, and the tokens that are believed.
    """

    def __init__(self) -> None:
        self.registry = HubRegistry()
        self.limits = Limits()
        self.retry_after: int | None = None
        self.tokens = {"stub-token"}
        # Says what is answered instead, if it says anything: tests put words into the hub's mouth.
        self.script: Callable[[str, Any], tuple[int, Any] | None] = lambda name, body: None  # noqa: ARG005 -- none
        self.connections: set[tuple[str, int]] = set()
        self.closing = asyncio.Event()
        self.forget_calls()

    def forget_calls(self) -> None:
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Do as the hub would, weather permitting.
        """
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        segments = [unquote(part) for part in request.rel_url.raw_path.strip("/").split("/")]
        body = await request.read()
        name = "Bulk" if request.method == "POST" else request.method.capitalize()
        self.calls[name] += 1
        try:
            return await self._weathered(name, request, segments, json.loads(body) if body else None)
        except Refused as e:
            headers = {"iothub-errorcode": e.code}
            if e.status == 429 and self.retry_after is not None:  # noqa: PLR2004 -- Too Many Requests
                headers["Retry-After"] = str(self.retry_after)
            return _json(e.status, e.document, headers)

    async def _weathered(self, name: str, http: web.BaseRequest, segments: list[str], body: Any) -> web.StreamResponse:
        limits = self.limits
        if limits.latency_ms:
            await asyncio.sleep(limits.latency_ms / 1000)
        if http.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "IotHubUnauthorizedAccess", "token")
        if not limits.admits("Registry", len(body) if name == "Bulk" else 1):
            self.throttled[name] += 1
            raise Refused(429, "ThrottlingBacklogTimeout", "Wait 10 seconds and try again.")
        fault = limits.fault(name)
        if fault == HTML:
            return web.Response(
                status=404, text="<html><h1>404 Web Site not found</h1></html>", content_type="text/html"
            )
        if fault and fault not in _SILENT:
            raise Refused(int(fault), _STATUS.get(fault, "ServerError"), "injected")
        scripted = self.script(name, body)
        status, done = scripted or (self._done(name, http, segments, body) if fault != HANG else (200, {}))
        if fault in {HANG, LATE}:
            await self.closing.wait()
        if fault and http.transport is not None:
            http.transport.abort()
        return _json(status, done)

    def _done(self, name: str, http: web.BaseRequest, segments: list[str], body: Any) -> tuple[int, Any]:
        matched = "If-Match" in http.headers
        match name, segments:
            case "Bulk", ["devices"]:
                return self.registry.bulk(body)
            case "Get", ["devices", device]:
                return 200, self.registry.get(device)
            case "Put", ["devices", device]:
                return 200, self.registry.put(device, body, update=matched)
            case "Delete", ["devices", device]:
                self.registry.delete(device, matched=matched)
                return 204, None
        raise Refused(404, "NotFound", f"the stub has no {name} {'/'.join(segments)}")

    async def control(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Answer what is no hub's: the managed identity's endpoint and the benchmark's wishes.
        """
        body = await request.read()
        match request.path:
            case "/token":
                (token, *_) = self.tokens
                lasts = int(time.time()) + 3600
                return _json(
                    200, {"access_token": token, "expires_on": str(lasts), "resource": "", "token_type": "Bearer"}
                )
            case "/__stub/weather":
                self.limits = Limits.from_document(json.loads(body))
            case "/__stub/reset":
                self.registry = HubRegistry()
                self.forget_calls()
            case "/__stub/report":
                able = len(self.registry.able())
                audit = {"certificates": len(self.registry.devices), "complete": able}
                return _json(200, {"calls": self.calls, "throttled": self.throttled, "audit": audit})
            case "/__stub/dump":
                return _json(200, self.registry.able())
        return _json(200, {})


def _json(status: int, document: Any, headers: dict[str, str] | None = None) -> web.Response:
    body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


class Addresses:
    """
    Where the stub is: `hub` as in FIRSTLIGHT_HUB, the file of its CA, the URL of its controls.
    """

    def __init__(self, hub: str, ca_file: Path, control_url: str) -> None:
        self.hub, self.ca_file, self.control_url = hub, ca_file, control_url


@asynccontextmanager
async def serving_hub(stub: StubHub, folder: Path) -> AsyncIterator[Addresses]:
    """
    Serve *stub* on free ports of 127.0.0.1; its CA certificate is written to *folder*.
    """
    runners = [
        web.ServerRunner(web.Server(answer, handler_cancellation=True, access_log=None), shutdown_timeout=1)
        for answer in (stub.answer, stub.control)
    ]
    try:
        for runner, tls in zip(runners, (_tls(folder), None), strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024, ssl_context=tls).start()
        hub, control = (runner.addresses[0][1] for runner in runners)
        yield Addresses(f"localhost:{hub}", folder / "hub-ca.pem", f"http://127.0.0.1:{control}")
    finally:
        stub.closing.set()
        for runner in runners:
            await runner.cleanup()


def _tls(folder: Path) -> ssl.SSLContext:
    now = datetime.now(UTC)
    ca_key = pki.new_key()
    ca = pki.create_ca("Stub hub CA", key=ca_key, now=now)
    certificate, key = pki.server_certificate(["localhost", "127.0.0.1"], ca=ca, ca_key=ca_key, now=now)
    pki.write_certificate(folder / "hub-ca.pem", ca)
    pki.write_certificate(folder / "hub.pem", certificate)
    pki.write_key(folder / "hub-key.pem", key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "hub.pem", folder / "hub-key.pem")
    return context


async def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serving_hub(StubHub(), Path(folder)) as at:
            print(f"{at.control_url} {at.hub} {at.ca_file}", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    argparse.ArgumentParser(description=__doc__).parse_args()
    uvloop.run(_main())
