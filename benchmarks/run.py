"""
Measures `firstlight ingest serve` against a stub cloud: `python -m benchmarks.run [part of a scenario's name]`.

Prints a table; exit 1 when a check does not hold.  Everything is on loopback and ends with the run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from benchmarks import processes
from benchmarks.hub_scenarios import HUB_SCENARIOS
from benchmarks.load import Load, able_devices, push_all
from benchmarks.pool import Entry, TokenKey, devices
from benchmarks.processes import Process
from benchmarks.scenarios import SCENARIOS, Result, Scenario


async def measure(scenario: Scenario, stub: Process, server: Process, pool: Iterator[Entry], key: TokenKey) -> Result:
    """
    Run *scenario* once.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        warm = Load(session, server.url, key)
        if scenario.warm:
            await warm.client([list(islice(pool, scenario.warm))], rounds=1)
        await _stub(session, stub, "reset")
        await _stub(session, stub, "weather", scenario.weather)
        load = Load(session, server.url, key)
        clients = [[list(islice(pool, scenario.size)) for _ in range(scenario.pushes)] for _ in range(scenario.clients)]
        used = server.cpu()
        seconds = await push_all(load, clients, rounds=scenario.rounds)
        used = server.cpu() - used
        report = await _stub(session, stub, "report")
        able = able_devices(scenario.cloud, await _stub(session, stub, "dump"))
    tally = load.tally
    return Result(
        certificates=scenario.certificates,
        seconds=seconds,
        slowest=tally.slowest(),
        rounds=tally.rounds,
        first_errors=tally.first_errors,
        unanswered=tally.unanswered,
        false_success=len(tally.succeeded - able),
        cpu_ms=used * 1000 / scenario.certificates,
        megabytes=server.megabytes(),
        calls=sum(report["calls"].values()),
        throttled=sum(report["throttled"].values()),
        audit=report["audit"],
        messages=dict(tally.messages),
    )


async def _stub(session: aiohttp.ClientSession, stub: Process, what: str, body: Any = None) -> Any:
    async with session.post(f"{stub.url}/__stub/{what}", json=body or {}) as response:
        return await response.json()


def run(scenario: Scenario, folder: Path, *, uvloop: bool) -> Result:
    """
    Run *scenario* on servers of its own.
    """
    key = TokenKey(folder)
    stub_of = {"aws": processes.stub_cloud, "azure": processes.stub_hub}[scenario.cloud]
    with stub_of() as stub, processes.ingest(stub, key, folder / "log", uvloop=uvloop) as server:
        return asyncio.run(measure(scenario, stub, server, devices(), key))


def main() -> int:
    """
    Run what was asked for, print the table, and say whether every check held.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="run only scenarios whose name contains this")
    parser.add_argument("--repeat", type=int, default=1, help="run each this often; the table has a line for each")
    parser.add_argument("--uvloop", action="store_true", help="run the server on uvloop")
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of the table")
    options = parser.parse_args()
    there_are = (*SCENARIOS, *HUB_SCENARIOS)
    chosen = [s for s in there_are if options.only in s.name for _ in range(options.repeat)]
    if not chosen:
        parser.error(f"no scenario's name contains {options.only!r}: {', '.join(s.name for s in there_are)}")
    console = Console(stderr=True)
    rows: list[tuple[Scenario, Result, list[str]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for scenario in chosen:
            with console.status(scenario.name):
                result = run(scenario, Path(folder), uvloop=options.uvloop)
            rows.append((scenario, result, [text for text, holds in scenario.checks if not holds(result)]))
    _print_json(rows) if options.json else Console(width=180).print(_table(rows))
    for scenario, result, broken in rows:
        for text in broken:
            console.print(f"[red]{scenario.name}: not {text}[/] {result.audit} {result.messages}")
    return 1 if any(broken for _, _, broken in rows) else 0


def _table(rows: list[tuple[Scenario, Result, list[str]]]) -> Table:
    headings = (
        "certificates/s|ms CPU each|MB|calls each|throttled|ERROR at first|pushes needed|slowest s|total s|checks"
    )
    table = Table("scenario")
    for heading in headings.split("|"):
        table.add_column(heading, justify="right")
    for scenario, r, broken in rows:
        table.add_row(
            scenario.name,
            f"{r.rate:,.0f}",
            f"{r.cpu_ms:.2f}",
            f"{r.megabytes:.0f}",
            f"{r.calls_each:.2f}",
            str(r.throttled),
            f"{r.first_errors} of {r.certificates}",
            str(r.rounds),
            f"{r.slowest:.2f}",
            f"{r.seconds:.2f}",
            f"{len(scenario.checks) - len(broken)} of {len(scenario.checks)}",
        )
    return table


def _print_json(rows: list[tuple[Scenario, Result, list[str]]]) -> None:
    for scenario, result, broken in rows:
        fields = {name: getattr(result, name) for name in Result.__slots__}
        print(json.dumps({"scenario": scenario.name, **fields, "broken": broken}))


if __name__ == "__main__":
    sys.exit(main())
