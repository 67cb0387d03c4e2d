"""
An ingest server inside the test, and the plainest of HTTP clients.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.ingest import Handler, Limits, listening
from firstlight.inspection import Inspector
from firstlight.interop import Interop
from firstlight.overflow import Overflow
from firstlight.provision import Admission, Registration, Registry
from firstlight.registries.memory import MemoryRegistry
from firstlight.telemetry import Source
from firstlight.tokens import Basic, Guard
from tests.factory import at_noon

AUTHORIZATION = "Basic " + base64.b64encode(b"me:secret").decode()
# Seconds after which a test has waited long enough for something that must happen.
PATIENCE = 30


@dataclass
class Slow:
    """
    A registry that registers when it is told to.
    """

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    seconds_left: list[float] = field(default_factory=list)

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        self.seconds_left.append(deadline - asyncio.get_running_loop().time())
        self.arrived.set()
        await self.go.wait()
        return [Registration("slow.example")] * len(devices)


@dataclass
class Served:
    url: str
    handler: Handler
    log: list[str]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for lines in self.log for line in lines.splitlines()]


@asynccontextmanager
async def ingest(
    registry: Registry | None = None,
    *,
    guard: Guard | None = None,
    limits: Limits | None = None,
    deadline: float = 25,
    overflow: Overflow | None = None,
    inspector: Inspector | None = None,
    **where: Any,
) -> AsyncIterator[Served]:
    """
    Serve on a free port of this machine until the block ends.
    """
    log: list[str] = []
    interop = Interop(
        registry=registry or MemoryRegistry("memory.example"),
        guard=guard or Basic("me:secret"),
        admission=Admission(rule=NamingRule(prefix="Infineon_")),
        topic="iqs",
        now=at_noon,
        overflow=overflow,
        inspector=inspector,
    )
    source = Source(region="eu-west-1", function="ingest")
    handler = Handler(interop, deadline=deadline, source=source, write=log.append, limits=limits)
    async with listening(handler, host="127.0.0.1", port=0, **where) as url:
        yield Served(url, handler, log)


def push_body(*pems: str) -> bytes:
    certs = [{"ref": f"r{i}", "cert": base64.b64encode(pem.encode()).decode()} for i, pem in enumerate(pems)]
    return json.dumps({"action": "provision", "certs": certs}).encode()


@dataclass
class Heard:
    """
    One HTTP answer, read until the server ended it.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def head(method: str, path: str, **headers: object) -> bytes:
    """
    Return the head of a request with credentials; underscores in names are dashes.
    """
    given = {"Host": "test", "Authorization": AUTHORIZATION, **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


async def send(url: str, *parts: bytes, answer_to: str = "POST") -> Heard:
    """
    Send *parts* as they are on a connection of their own, and return the answer.
    """
    async with asyncio.timeout(PATIENCE):
        reader, writer = await connect(url)
        try:
            for part in parts:
                writer.write(part)
            return await hear(reader, answer_to=answer_to)
        finally:
            writer.close()


async def ask(url: str, method: str, path: str, body: bytes = b"", **headers: object) -> Heard:
    length = {"Content_Length": len(body)} if method == "POST" else {}
    return await send(url, head(method, path, **{**length, **headers}), body, answer_to=method)


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = URL(url)
    return await asyncio.open_connection(at.host, at.port)


async def hear(reader: asyncio.StreamReader, *, answer_to: str = "POST") -> Heard:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    length = 0 if answer_to == "HEAD" else int(headers.get("content-length", "0"))
    return Heard(int(first.split()[1]), headers, await reader.readexactly(length))


async def soon(holds: Callable[[], bool]) -> None:
    """
    Return when *holds* is true; that it never is fails the test.
    """
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 -- what is waited for is told to nobody
            await asyncio.sleep(0)
