"""
What a hub's quota leaves over goes through the queue: `python -m benchmarks.hub_queue [--quota N] [--apart]`.

A stub hub that takes 100 devices a minute and 200 at once, the laptop's Azure Storage queue, the ingest API and sixteen
workers, which share the pace of one process or, apart, find one each, as on instances of their own.  All clients push
at once, nobody pushes again; then the queue is worked off.  Prints a line; exit 1 when a device is lost, a SUCCESS is
false, or it took over 1.1 of the quota's floor.
"""

import argparse
import asyncio
import base64
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.identity.aio import ClientSecretCredential

from benchmarks.pool import Entry, devices
from benchmarks.stub_hub import StubHub, serving_hub
from benchmarks.stub_limits import HUB_S1, Limits
from firstlight.backlog import work
from firstlight.endpoint import admission_from, interop_from
from firstlight.interop import Interop, Request
from firstlight.local.azure_cloud.access import QUEUE_MESSAGE_PROCESSOR, QUEUE_MESSAGE_SENDER, Principal
from firstlight.local.azure_cloud.server import serve
from firstlight.local.azure_cloud.storage import QUEUE_DOMAIN, StorageAccount, StoredQueue
from firstlight.local.azure_cloud.world import World
from firstlight.local.mqtt import trust
from firstlight.queues.azure_backlog import StorageBacklog
from firstlight.queues.azure_storage import StorageQueue
from firstlight.registries.azure_iot import AzureIotRegistry
from firstlight.settings import Settings

# As seen by Azure-Samples/Iot-Telemetry-Simulator#39: 100 devices a minute, 200 at once.
_BURST, _RATE = 200, HUB_S1["Registry"]
_WORKERS = 16
# Seconds for a push, and for a message: what the function has, less its reserve.
_A_PUSH, _A_MESSAGE = 25.0, 240.0
_SETTINGS = Settings(basic_credentials="bench:bench", hub="stub")
_HEADERS = {"authorization": "Basic " + base64.b64encode(b"bench:bench").decode()}


class _Token:
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("stub-token", int(time.time()) + 3600)

    async def close(self) -> None: ...


class Bench:
    """
    The stub hub, the queue, and the app between them.
    """

    def __init__(
        self, stub: StubHub, registries: Sequence[AzureIotRegistry], queue: StorageQueue, stored: StoredQueue
    ) -> None:
        self.stub, self.registry, self.queue, self.stored = stub, registries[-1], queue, stored
        self.answers: Counter[str] = Counter()
        self.false = 0
        self._interop: Interop = interop_from(_SETTINGS, registries[0], now=lambda: datetime.now(UTC), overflow=queue)

    @classmethod
    async def open(cls, stack: AsyncExitStack, *, quota: float, apart: bool) -> "Bench":
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stub = StubHub()
        stub.limits = Limits(latency_ms=20, tps={"Registry": _RATE}, burst={"Registry": _BURST})
        at = await stack.enter_async_context(serving_hub(stub, folder))
        quotas = f"IdentityRegistryOperations={quota:g}" if quota else ""
        registries = []
        for _ in range(2 if apart else 1):
            registry = AzureIotRegistry(
                hub=at.hub,
                credential=_Token(),  # type: ignore[arg-type]
                ca_file=at.ca_file,
                quotas=quotas,
            )
            registries.append(registry)
            stack.push_async_callback(registry.close)
        queue, stored = await _queue(stack, folder)
        return cls(stub, registries, queue, stored)

    def has(self, wanted: set[str]) -> bool:
        """
        Whether all the devices with these thumbprints can connect.
        """
        return set(self.stub.registry.able().values()) == wanted

    async def push(self, entries: Sequence[Entry]) -> None:
        """
        Push once, and set what is answered against what is there.
        """
        certs = [{"ref": e.ref, "cert": e.cert} for e in entries]
        body = json.dumps({"action": "provision", "certs": certs}).encode()
        deadline = asyncio.get_running_loop().time() + _A_PUSH
        reply = await self._interop.answer(Request("POST", "/interop", _HEADERS, body), deadline=deadline)
        able, known = set(self.stub.registry.able().values()), {e.ref: e.certificate_id.upper() for e in entries}
        for answer in json.loads(reply.body):
            queued = answer.get("message", "").startswith("queued:")
            self.answers["queued" if queued else answer.get("message", answer["status"])] += 1
            self.false += answer["status"] == "SUCCESS" and known[answer["ref"]] not in able

    async def worker(self, stop: asyncio.Event) -> None:
        """
        Take messages one at a time, as a function's host hands them out, until *stop*.
        """
        source, admission = StorageBacklog(self.queue, batch=1), admission_from(_SETTINGS)
        while not stop.is_set():
            messages = await source.receive(wait=2)
            deadline = asyncio.get_running_loop().time() + _A_MESSAGE
            worked = await work(
                messages, self.registry, admission=admission, now=lambda: datetime.now(UTC), deadline=deadline
            )
            await source.again(worked.again)
            await source.done(worked.done)


async def _queue(stack: AsyncExitStack, folder: Path) -> tuple[StorageQueue, StoredQueue]:
    world = World()
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    await stack.enter_async_context(serve(world, folder, listener=listener, secret="bench"))
    account, stored = StorageAccount("bench", "/accounts/bench"), StoredQueue("devices")
    account.queues = {"devices": stored, "devices-poison": StoredQueue("devices-poison")}
    world.storage["bench"] = account
    app = world.directory.enroll(Principal("app"))
    for role in (QUEUE_MESSAGE_SENDER, QUEUE_MESSAGE_PROCESSOR):
        world.directory.assign(app.object_id, role, account.resource_id)
    proxy, ca_file = f"http://127.0.0.1:{listener.getsockname()[1]}", trust.ca_file(folder)
    credential = ClientSecretCredential(
        world.tenant, app.client_id, app.secret, proxies={"https": proxy}, connection_verify=str(ca_file)
    )
    url = f"https://bench.{QUEUE_DOMAIN}/devices"
    queue = StorageQueue(url, credential=credential, ca_file=ca_file, proxy=proxy)
    stack.push_async_callback(queue.close)
    return queue, stored


async def measure(clients: int, size: int, quota: float, *, apart: bool) -> bool:
    """
    Run it and print the line; return whether all of it held.
    """
    pool = devices()
    pushes = [list(islice(pool, size)) for _ in range(clients)]
    wanted = {e.certificate_id.upper() for entries in pushes for e in entries}
    floor = max(0.0, (len(wanted) - _BURST) / _RATE)
    async with AsyncExitStack() as stack:
        bench = await Bench.open(stack, quota=quota, apart=apart)
        begun, stop = time.monotonic(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(bench.worker(stop))
            async with asyncio.TaskGroup() as pushing:
                for entries in pushes:
                    pushing.create_task(bench.push(entries))
            print(f"answered: {dict(bench.answers)}", file=sys.stderr)
            while not bench.has(wanted) and time.monotonic() - begun < 3 * floor + 60:  # noqa: ASYNC110 -- no events
                await asyncio.sleep(0.2)
            seconds = time.monotonic() - begun
            stop.set()
        able = set(bench.stub.registry.able().values())
        lost, calls, throttled = wanted - able, bench.stub.calls, bench.stub.throttled
    told = (f"{quota:g} a minute" if quota else "not said") + (", apart" if apart else "")
    print(
        f"{clients} x {size}, quota {told}: {seconds:.0f} s, floor {floor:.0f} s "
        f"({seconds / floor if floor else 0:.2f}), answers {dict(bench.answers)}, {bench.false} false SUCCESS, "
        f"{len(lost)} lost, {len(bench.stored.messages)} messages left, {sum(calls.values())} calls, "
        f"{sum(throttled.values())} of them throttled"
    )
    return not lost and not bench.false and not bench.stored.messages and seconds <= max(1.1 * floor, 30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=16)
    parser.add_argument("size", nargs="?", type=int, default=100)
    parser.add_argument("--quota", type=float, default=0.0, help="what the app is told that the hub takes a minute")
    parser.add_argument("--apart", action="store_true", help="the API and the workers know nothing of one another")
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.clients, options.size, options.quota, apart=options.apart)) else 1


if __name__ == "__main__":
    sys.exit(main())
