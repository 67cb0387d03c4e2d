"""
What AWS's quotas leave over goes through the queue: `python -m benchmarks.aws_queue [--profile NAME] [clients] [size]`.

A stub cloud with the quotas of the profile and 20 ms a call.  Each client pushes once, all at the same time, each to
an ingest API with a registry of its own, as in a Lambda of its own; two workers with registries of their own take
batches of 50 from a queue in memory.  Nobody pushes again.  Prints a line; exit 1 when a device is lost, a SUCCESS is
false, or it took over 1.1 of the quota's floor.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from benchmarks.pool import Entry, devices
from benchmarks.stub_cloud import StubCloud, serving
from benchmarks.stub_limits import PROFILES, Limits
from benchmarks.stub_registry import Registry as StubRegistry
from benchmarks.stub_registry import certificate_arn
from firstlight.endpoint import admission_from, interop_from
from firstlight.ingest.worker import Worker
from firstlight.interop import Request
from firstlight.queues.memory import MemoryQueue
from firstlight.registries.announcing import AnnouncingRegistry
from firstlight.registries.aws_credentials import Keys
from firstlight.registries.aws_environment import registry_from
from firstlight.registries.aws_iot import AwsIotRegistry
from firstlight.settings import Settings
from firstlight.telemetry import Source

# The quota that binds, in either profile; and what the stack has: two batches of 50, 60 seconds less a margin.
_RATE = 10.0
_WORKERS, _BATCH, _A_BATCH = 2, 50, 52.0
_A_PUSH = 25.0
_SETTINGS = Settings(basic_credentials="bench:bench")
_HEADERS = {"authorization": "Basic " + base64.b64encode(b"bench:bench").decode()}
_now = partial(datetime.now, UTC)


class Bench:
    """
    The stub cloud and the queue; every registry is a process of its own to them.
    """

    def __init__(self, stack: AsyncExitStack, stub: StubCloud, url: str) -> None:
        self.stub, self.queue = stub, MemoryQueue(batch=_BATCH)
        self.answers: Counter[str] = Counter()
        self.false = 0
        self._stack, self._url = stack, url

    def complete(self, entry: Entry) -> bool:
        """
        Whether the device can connect.
        """
        registry, arn = self.stub.registry, certificate_arn(entry.certificate_id)
        attached = any(arn in thing.principals for thing in registry.things.values())
        active = registry.certificates.get(entry.certificate_id) == "ACTIVE"
        return attached and active and _SETTINGS.policy_name in registry.attached.get(arn, ())

    async def push(self, entries: Sequence[Entry]) -> None:
        """
        Push once, and set what is answered against what is there.
        """
        interop = interop_from(_SETTINGS, self._registry(eager=False), now=_now, overflow=self.queue)
        certs = [{"ref": e.ref, "cert": e.cert} for e in entries]
        body = json.dumps({"action": "provision", "certs": certs}).encode()
        deadline = asyncio.get_running_loop().time() + _A_PUSH
        reply = await interop.answer(Request("POST", "/interop", _HEADERS, body), deadline=deadline)
        for entry, answer in zip(entries, json.loads(reply.body), strict=True):
            queued = answer.get("message", "").startswith("queued:")
            self.answers["queued" if queued else answer["status"]] += 1
            self.false += answer["status"] == "SUCCESS" and not self.complete(entry)

    async def work(self, stop: asyncio.Event) -> None:
        """
        Take batches from the queue until *stop*.
        """
        worker = Worker(
            source=self.queue,
            registry=self._registry(eager=True),
            admission=admission_from(_SETTINGS),
            now=_now,
            deadline=_A_BATCH,
            place=Source(region="", function=""),
            write=lambda _: None,
        )
        await worker.run(stop, hands=1)

    def _registry(self, *, eager: bool) -> AwsIotRegistry | AnnouncingRegistry:
        env = {"AWS_ENDPOINT_URL_IOT": self._url, "AWS_REGION": "us-east-1"}
        registry = registry_from(_SETTINGS, env, credentials=lambda: Keys("test", "test"), eager=eager)
        self._stack.push_async_callback(registry.close)
        return registry


async def measure(profile: str, clients: int, size: int) -> bool:
    """
    Run it and print the line; return whether all of it held.
    """
    pool = devices()
    pushes = [list(islice(pool, size)) for _ in range(clients)]
    floor = clients * size / _RATE
    stub = StubCloud(StubRegistry(policies={_SETTINGS.policy_name}), Limits(latency_ms=20, tps=PROFILES[profile]))
    async with AsyncExitStack() as stack:
        bench = Bench(stack, stub, await stack.enter_async_context(serving(stub)))
        begun, stop = time.monotonic(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(bench.work(stop))
            async with asyncio.TaskGroup() as pushing:
                for entries in pushes:
                    pushing.create_task(bench.push(entries))
            while bench.queue.bodies and time.monotonic() - begun < 3 * floor + 60:  # noqa: ASYNC110 -- no events
                await asyncio.sleep(0.1)
            seconds = time.monotonic() - begun
            stop.set()
        lost = [entry for entries in pushes for entry in entries if not bench.complete(entry)]
    calls, throttled = sum(stub.calls.values()), sum(stub.throttled.values())
    print(
        f"{profile}, {clients} x {size}: {seconds:.0f} s, floor {floor:.0f} s ({seconds / floor:.2f}), answers "
        f"{dict(bench.answers)}, {bench.false} false SUCCESS, {len(lost)} lost, {len(bench.queue.dead)} dead letters, "
        f"{calls} calls, {throttled} of them throttled"
    )
    return not lost and not bench.false and not bench.queue.dead and seconds <= max(1.1 * floor, 30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=16)
    parser.add_argument("size", nargs="?", type=int, default=100)
    parser.add_argument("--profile", choices=["aws-default", "all-10"], default="aws-default")
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.profile, options.clients, options.size)) else 1


if __name__ == "__main__":
    sys.exit(main())
