"""
Sets the speed of this checkout against that of another commit, push by push in turn.

`python -m benchmarks.compare --before COMMIT`: rates and CPU of pushes that know no quota, as ratios.  Both
servers run at once, each in front of a stub of its own, and are pushed to in turn, so what else the machine
does meets both.  Exit 1 if a rate has fallen.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from benchmarks import processes
from benchmarks.load import Load
from benchmarks.pool import Entry, TokenKey, devices
from benchmarks.processes import Process

_CHECKOUT = Path(__file__).parents[1]
# Two runs of the same code differ by as much on a busy machine.
_FALLEN = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    Pushes of *size*, one after the other; `cold`: each to a server that was just started.
    """

    name: str
    size: int
    cloud: str = "aws"
    latency_ms: int = 0
    cold: bool = False
    rounds: int = 20


COMPARISONS = (
    Comparison(name="first push of 500, 20 ms a call", size=500, latency_ms=20, cold=True, rounds=9),
    Comparison(name="pushes of 500, 20 ms a call", size=500, latency_ms=20),
    Comparison(name="pushes of 100", size=100, rounds=60),
    Comparison(name="hub, pushes of 500, 20 ms a call", size=500, latency_ms=20, cloud="azure"),
    Comparison(name="hub, pushes of 500", size=500, cloud="azure", rounds=30),
)


@dataclass
class Side:
    """
    What one checkout did in each push: certificates a second, and ms of the server's CPU for a certificate.
    """

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """
    Yield a folder with the files of *commit*, and remove it afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=_CHECKOUT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)


@contextmanager
def serving(compared: Comparison, sources: Path, folder: Path, key: TokenKey) -> Iterator[tuple[Process, Process]]:
    """
    Run a stub and, with the library of *sources*, the ingest in front of it.
    """
    stub_of = {"aws": processes.stub_cloud, "azure": processes.stub_hub}[compared.cloud]
    with stub_of() as stub, ExitStack() as stack:
        # Before the editable install of this checkout.
        with _path(sources / "src"):
            server = stack.enter_context(processes.ingest(stub, key, folder / "log"))
        yield stub, server


@contextmanager
def _path(folder: Path) -> Iterator[None]:
    """
    Let processes that are started within import from *folder* first.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


async def measure(compared: Comparison, sides: dict[Path, Side], folder: Path, pool: Iterator[Entry]) -> None:
    """
    Push to both sides in turn, now one first and now the other.
    """
    key = TokenKey(folder)
    order = list(sides)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for _ in range(compared.rounds if compared.cold else 1):
            with ExitStack() as stack:
                running = {s: stack.enter_context(serving(compared, s, folder, key)) for s in sides}
                for stub, server in running.values():
                    # What a process does once is done before.
                    await Load(session, server.url, key).client([list(islice(pool, 10))], rounds=1)
                    await _weather(session, stub, {"latency_ms": compared.latency_ms})
                for _ in range(1 if compared.cold else compared.rounds):
                    order.reverse()
                    for sources in order:
                        server, entries = running[sources][1], list(islice(pool, compared.size))
                        await _push(entries, sides[sources], server, Load(session, server.url, key))


async def _push(entries: Sequence[Entry], side: Side, server: Process, load: Load) -> None:
    used = server.cpu()
    await load.client([entries], rounds=1)
    if len(load.tally.succeeded) < len(entries):
        raise RuntimeError(f"A push failed: {load.tally.messages}")
    side.rates.append(len(entries) / load.tally.seconds[0])
    side.cpu_ms.append((server.cpu() - used) * 1000 / len(entries))


async def _weather(session: aiohttp.ClientSession, stub: Process, weather: dict[str, Any]) -> None:
    async with session.post(f"{stub.url}/__stub/weather", json=weather) as response:
        await response.read()


def main() -> int:
    """
    Run what was asked for, print the ratios, and say whether a rate has fallen.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="run only comparisons whose name contains this")
    parser.add_argument("--before", required=True, help="the commit to compare with")
    options = parser.parse_args()
    table, fallen, pool = _table(), [], devices()
    with checkout(options.before) as before, Console(stderr=True).status("measuring"):
        for compared in (c for c in COMPARISONS if options.only in c.name):
            sides = {before: Side(), _CHECKOUT: Side()}
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(measure(compared, sides, Path(folder), pool))
            then, now = sides.values()
            table.add_row(compared.name, *_cells(then, now))
            if max(_ratios(then, now)) < _FALLEN:
                fallen.append(compared.name)
    Console(width=150).print(table)
    for name in fallen:
        Console(stderr=True).print(f"[red]{name}: below {_FALLEN} of {options.before}[/]")
    return 1 if fallen else 0


def _ratios(then: Side, now: Side) -> tuple[float, float]:
    """
    Return the ratio of the quickest pushes, and the median ratio of pushes one after the other.

    What else runs only ever slows a push down, which the first allows for, and slows both down, as the second does.
    """
    pairs = [after / before for before, after in zip(then.rates, now.rates, strict=True)]
    return max(now.rates) / max(then.rates), statistics.median(pairs)


def _table() -> Table:
    table = Table("pushes")
    for heading in (
        "quickest before/s",
        "after/s",
        "ratio",
        "median ratio of pairs",
        "ms CPU before",
        "after",
        "ratio",
    ):
        table.add_column(heading, justify="right")
    return table


def _cells(then: Side, now: Side) -> list[str]:
    quickest, median = _ratios(then, now)
    before_cpu, after_cpu = statistics.mean(then.cpu_ms), statistics.mean(now.cpu_ms)
    return [
        f"{max(then.rates):,.0f}",
        f"{max(now.rates):,.0f}",
        f"{quickest:.2f}",
        f"{median:.2f}",
        f"{before_cpu:.3f}",
        f"{after_cpu:.3f}",
        f"{after_cpu / before_cpu:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
