"""
Measures pushes and the queue behind them: `python -m benchmarks.queue_run [part of a scenario's name]`.

The functions are the real handlers, each instance a process; API Gateway, SQS and its event source are stand-ins, AWS
IoT is the stub with its quotas.  Prints a table; exit 1 when a check does not hold.  Everything is on loopback and ends
with the run.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks import processes
from benchmarks.function import Function
from benchmarks.gateway import Gateway
from benchmarks.load import Load, Tally, complete, push_all
from benchmarks.pool import AUDIENCE, TokenKey, devices
from benchmarks.scenarios import GATEWAY
from benchmarks.stub_queue import EventSource, StubQueue

# As cdk/worker_function.py and cdk/overflow_queue.py have them.
_WORKER_SECONDS, _BATCH, _WINDOW, _CONCURRENCY = 60.0, 50, 1.0, 2
_UNSEEN, _MOST = 6 * _WORKER_SECONDS, 10
_PATIENCE = 3.0  # times the floor, until what is not complete is called lost
_QUEUED = "queued: "


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueScenario:
    """
    *clients* push *size* certificates each, at once and once; the bottleneck lets *rate* a second through.
    """

    name: str
    weather: dict[str, Any]
    clients: int
    size: int
    rate: float
    # FIRSTLIGHT_DEADLINE, and how much of the floor it may take.
    deadline: int = 25
    most: float = 1.1

    @property
    def certificates(self) -> int:
        return self.clients * self.size

    @property
    def floor(self) -> float:
        return self.certificates / self.rate


SCENARIOS = (
    QueueScenario(
        name="aws-default, 16 x 100",
        weather={"profile": "aws-default", "latency_ms": 20},
        clients=16,
        size=100,
        rate=10,
    ),
    QueueScenario(
        name="all-10, 16 x 100", weather={"profile": "all-10", "latency_ms": 20}, clients=16, size=100, rate=10
    ),
    # Of use to the test of this benchmark only: starting the functions is most of it.
    QueueScenario(
        name="quick, 4 x 50",
        weather={"tps": {"RegisterCertificateWithoutCA": 50}, "latency_ms": 20},
        clients=4,
        size=50,
        rate=50,
        deadline=4,
        most=4.0,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResult:
    """
    One scenario, run once.
    """

    certificates: int
    seconds: float
    slowest_push: float
    succeeded: int
    queued: int
    other_errors: int
    unanswered: int
    false_success: int
    lost: int
    twice: int
    dead: int
    left_in_queue: int
    calls_each: float
    throttled: int
    ingests: int
    workers: int
    worker_megabytes: float

    def broken(self, scenario: QueueScenario) -> list[str]:
        """
        Return the checks that do not hold.
        """
        checks = {
            "no SUCCESS that is not complete": self.false_success == 0,
            "no device lost": self.lost == self.dead == self.left_in_queue == 0,
            "no device made twice": self.twice == 0,
            "every entry answered within 29 s": self.unanswered == 0 and self.slowest_push < GATEWAY,
            "no ERROR but queued": self.other_errors == 0,
            f"within {scenario.most} of the {scenario.floor:.0f} s the quota takes": self.seconds
            <= scenario.most * scenario.floor,
        }
        return [text for text, holds in checks.items() if not holds]


async def run(scenario: QueueScenario, folder: Path) -> QueueResult:
    """
    Run *scenario* on servers and functions of its own.
    """
    key, pool = TokenKey(folder), devices()
    clients = [[list(islice(pool, scenario.size))] for _ in range(scenario.clients)]
    queue = StubQueue(unseen=_UNSEEN, most=_MOST)
    async with AsyncExitStack() as stack:
        stub = stack.enter_context(processes.stub_cloud())
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        env = _environment(stub.clients, key, await stack.enter_async_context(_listening(queue.answer)))
        env["FIRSTLIGHT_DEADLINE"] = str(scenario.deadline)
        log = folder / "log"
        ingest, worker = (
            Function("lambdas.interop", env=env, seconds=GATEWAY, log=log),
            Function("lambdas.worker", env=env, seconds=_WORKER_SECONDS, log=log),
        )
        for function in (ingest, worker):
            await stack.enter_async_context(function)
        await ingest.warm(scenario.clients)
        await worker.warm(_CONCURRENCY)
        source = EventSource(queue=queue, worker=worker, batch=_BATCH, window=_WINDOW, concurrency=_CONCURRENCY)
        polling = asyncio.create_task(source.run())
        try:
            url = await stack.enter_async_context(_listening(Gateway(ingest).answer))
            await _stub(session, stub.url, "weather", scenario.weather)
            begun, load = time.perf_counter(), Load(session, url, key)
            await push_all(load, clients, rounds=1)
            seconds = await _until_complete(session, stub.url, scenario, begun)
            await _until_empty(queue)
        finally:
            polling.cancel()
        report, dump = await _stub(session, stub.url, "report"), await _stub(session, stub.url, "dump")
        return QueueResult(
            certificates=scenario.certificates,
            seconds=seconds,
            calls_each=sum(report["calls"].values()) / scenario.certificates,
            throttled=sum(report["throttled"].values()),
            dead=len(queue.dead),
            left_in_queue=len(queue.messages),
            ingests=ingest.instances,
            workers=worker.instances,
            worker_megabytes=worker.megabytes(),
            **_audited(scenario, load.tally, complete(dump), report["audit"]),
        )


def _audited(scenario: QueueScenario, tally: Tally, able: set[str], audit: dict[str, int]) -> dict[str, Any]:
    """
    Set what was said against what there is.
    """
    queued = sum(count for message, count in tally.messages.items() if message.startswith(_QUEUED))
    return {
        "slowest_push": tally.slowest(),
        "succeeded": len(tally.succeeded),
        "queued": queued,
        "other_errors": tally.messages.total() - queued,
        "unanswered": tally.unanswered,
        "false_success": len(tally.succeeded - able),
        "lost": scenario.certificates - len(able),
        "twice": audit["things_with_several"] + audit["certificates_on_several"] + audit["things"] - len(able),
    }


async def _until_complete(session: aiohttp.ClientSession, stub: str, scenario: QueueScenario, begun: float) -> float:
    """
    Return the seconds after *begun* at which all devices were complete, or at which it is given up.
    """
    while (seconds := time.perf_counter() - begun) < _PATIENCE * scenario.floor:
        report = await _stub(session, stub, "report")
        if report["audit"]["complete"] >= scenario.certificates:
            break
        await asyncio.sleep(0.25)
    return seconds


async def _until_empty(queue: StubQueue) -> None:
    """
    Let the last batches be answered, and their messages be deleted.
    """
    for _ in range(100):
        if not queue.messages:
            return
        await asyncio.sleep(0.1)


def _environment(stub: Any, key: TokenKey, queue_url: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "FIRSTLIGHT_"))}
    return {
        **mine,
        **stub,
        "AWS_ENDPOINT_URL_SQS": queue_url,
        "FIRSTLIGHT_AUDIENCE": AUDIENCE,
        "FIRSTLIGHT_TOKEN_KEY_FILE": str(key.public_file),
        "FIRSTLIGHT_QUEUE_URL": f"{queue_url}/123456789012/devices",
    }


@asynccontextmanager
async def _listening(answer: Any) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _stub(session: aiohttp.ClientSession, url: str, what: str, body: Any = None) -> Any:
    async with session.post(f"{url}/__stub/{what}", json=body or {}) as response:
        return await response.json()


def main() -> int:
    """
    Run what was asked for, print the table, and say whether every check held.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="16 x 100", help="run only scenarios whose name contains this")
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of the table")
    options = parser.parse_args()
    console, rows = Console(stderr=True), []
    for scenario in (s for s in SCENARIOS if options.only in s.name):
        with tempfile.TemporaryDirectory() as folder, console.status(scenario.name):
            rows.append((scenario, asyncio.run(run(scenario, Path(folder)))))
    if options.json:
        for scenario, r in rows:
            print(json.dumps({"scenario": scenario.name, **asdict(r), "broken": r.broken(scenario)}))
    else:
        Console(width=180).print(_table(rows))
    for scenario, r in rows:
        for text in r.broken(scenario):
            console.print(f"[red]{scenario.name}: not {text}[/]")
    return 1 if any(r.broken(scenario) for scenario, r in rows) else 0


def _table(rows: list[tuple[QueueScenario, QueueResult]]) -> Table:
    headings = "SUCCESS at once|queued|lost|false SUCCESS|slowest push s|total s|of the floor|calls each|throttled"
    table = Table("scenario")
    for heading in headings.split("|"):
        table.add_column(heading, justify="right")
    for scenario, r in rows:
        table.add_row(
            scenario.name,
            str(r.succeeded),
            str(r.queued),
            str(r.lost),
            str(r.false_success),
            f"{r.slowest_push:.1f}",
            f"{r.seconds:.1f}",
            f"{r.seconds / scenario.floor:.2f}",
            f"{r.calls_each:.2f}",
            str(r.throttled),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
