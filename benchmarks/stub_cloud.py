"""
A light stand-in for AWS IoT's control plane: quick enough to measure against, cruel on request.

It keeps what a provisioning client depends on and nothing else; any signature will do.
`POST /__stub/weather` sets latency, quotas and faults (see stub_limits), `POST /__stub/reset`
forgets all, `GET /__stub/report` tells calls and an audit, `GET /__stub/dump` everything.
"""

import argparse
import asyncio
import json
import resource
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from benchmarks.stub_limits import HANG, LATE, LOST, Limits
from benchmarks.stub_operations import operation
from benchmarks.stub_registry import Refused, Registry
from benchmarks.stub_request import Request


class StubCloud:
    """
    The registry, the weather, and a count of what was called.
    """

    def __init__(self, registry: Registry | None = None, limits: Limits | None = None) -> None:
        self.registry = registry or Registry()
        self.limits = limits or Limits()
        self.closing = asyncio.Event()
        self.connections: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self.forget_calls()

    def forget_calls(self) -> None:
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self._cpu = _cpu()

    def report(self) -> dict[str, Any]:
        """
        What was called since it was last forgotten, and what the registry holds.
        """
        return {
            "calls": dict(self.calls),
            "throttled": dict(self.throttled),
            "cpu_s": round(_cpu() - self._cpu, 3),
            "audit": self.registry.audit(),
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Do as AWS IoT would, weather permitting.
        """
        if request.transport is not None:
            self.connections.add(request.transport)
        # Encoded slashes belong to a name, so the path is split before it is decoded.
        segments = [unquote(part) for part in request.rel_url.raw_path.strip("/").split("/")]
        body = await request.read()
        document = json.loads(body) if body else {}
        if segments[0] == "__stub":
            return _json(200, self._control(segments[1], document))
        try:
            name, handle = operation(request.method, segments)
            return await self._weathered(
                name, request, handle, Request(segments, request.query, request.headers, document)
            )
        except Refused as e:
            return _json(e.status, e.document, {"x-amzn-ErrorType": e.code})

    async def _weathered(self, name: str, http: web.BaseRequest, handle: Any, request: Request) -> web.StreamResponse:
        limits = self.limits
        self.calls[name] += 1
        if limits.latency_ms:
            await asyncio.sleep(limits.latency_ms / 1000)
        if not limits.admits(name):
            self.throttled[name] += 1
            raise Refused(limits.throttle_status, "ThrottlingException", "Rate exceeded")
        fault = limits.fault(name)
        if fault and fault not in {HANG, LATE, LOST}:
            raise Refused(404 if fault == "ResourceNotFoundException" else 500, fault, "injected")
        done = handle(self.registry, request) if fault != HANG else {}
        if fault in {HANG, LATE}:
            # Until the client has gone, which cancels this, or the stub closes.
            await self.closing.wait()
        if fault and http.transport is not None:
            http.transport.abort()
        return _json(200, done)

    def _control(self, what: str, document: dict[str, Any]) -> Any:
        match what:
            case "weather":
                self.limits = Limits.from_document(document)
            case "reset":
                self.registry = Registry(policies=self.registry.policies)
                self.forget_calls()
            case "report":
                return self.report()
            case "dump":
                return self.registry.dump()
        return {}


def _json(status: int, document: Any, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(document, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def serving(stub: StubCloud, port: int = 0) -> AsyncIterator[str]:
    """
    Serve *stub* on 127.0.0.1, on a free port unless given; yield its URL.
    """
    runner = web.ServerRunner(web.Server(stub.answer, handler_cancellation=True, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        stub.closing.set()
        await runner.cleanup()


async def _main(port: int) -> None:
    async with serving(StubCloud(), port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(_main(parser.parse_args().port))
