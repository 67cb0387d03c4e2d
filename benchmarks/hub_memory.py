"""
Whether the server in front of an IoT Hub grows: `python -m benchmarks.hub_memory [pushes]`.

Pushes of one certificate, one after the other; prints resident memory after each quarter.
"""

import asyncio
import sys
import tempfile
from itertools import islice
from pathlib import Path

import aiohttp

from benchmarks import processes
from benchmarks.load import Load
from benchmarks.pool import TokenKey, devices
from benchmarks.processes import Process


async def measure(server: Process, key: TokenKey, pushes: int) -> None:
    """
    Push and print.
    """
    pool = devices()
    async with aiohttp.ClientSession() as session:
        load = Load(session, server.url, key)
        await load.client([[e] for e in islice(pool, 20)], rounds=1)
        print(f"{0:>6} pushes {server.megabytes():6.1f} MB")
        for quarter in range(1, 5):
            await load.client([[e] for e in islice(pool, pushes // 4)], rounds=1)
            print(f"{quarter * pushes // 4:>6} pushes {server.megabytes():6.1f} MB")
    if load.tally.messages or load.tally.unanswered:
        raise SystemExit(f"not every push succeeded: {dict(load.tally.messages)}")


def main() -> None:
    pushes = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        key = TokenKey(Path(folder))
        with processes.stub_hub() as stub, processes.ingest(stub, key, Path(folder) / "log") as server:
            asyncio.run(measure(server, key, pushes))


if __name__ == "__main__":
    main()
