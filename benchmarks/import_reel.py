"""
Imports a generated reel to a laptop cloud, killed in the middle: `python -m benchmarks.import_reel aws|azure`.

One run of `firstlight import` is killed (SIGKILL) when half of the reel is in its report, a second one goes on.
Printed are the seconds, the peak memory of the process, the report's rows, and what the registry holds.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.identity.aio import ClientSecretCredential

from firstlight.local.addresses import Addresses, unproxied
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.control_plane import ROOT, ControlPlane
from firstlight.local.laptop import Laptop
from firstlight.manifests.csv_rows import Table
from firstlight.registries.azure_http import AzureHttp
from tests.factory import Factory
from tests.manifests import cloud_id, reel

POLICY = "FirstlightDevice"
REGION = {"aws": "eu-west-1", "azure": "westeurope"}


@dataclass(frozen=True)
class Cloud:
    """
    A laptop cloud: the environment that leads a command to it, and what its registry holds.
    """

    environment: Mapping[str, str | None]
    arguments: tuple[str, ...]
    holds: Any


@contextmanager
def aws(folder: Path) -> Iterator[Cloud]:
    with ControlPlane(folder, region=REGION["aws"]) as running:
        addresses = Addresses(
            endpoint_url=running.endpoint_url, region=running.region, account=running.account, credentials=ROOT
        )
        iot = addresses.client("iot")
        iot.create_policy(policyName=POLICY, policyDocument='{"Version": "2012-10-17", "Statement": []}')

        def holds() -> dict[str, int]:
            certificates = _all(iot.list_certificates, "certificates")
            things = _all(iot.list_things, "things")
            return {
                "certificates": len(certificates),
                "active": sum(c["status"] == "ACTIVE" for c in certificates),
                "things": len({t["thingName"] for t in things}),
                "with policy": len(_all(iot.list_targets_for_policy, "targets", policyName=POLICY)),
            }

        yield Cloud(addresses.environment | unproxied({}), (), holds)


@contextmanager
def azure(folder: Path) -> Iterator[Cloud]:
    regions = folder / "regions.toml"
    regions.write_text(
        '[azure.westeurope]\ntoken_key_url = "https://keys.example.com/key.pem"\nhub_sku = "S3"\nhub_units = 10\n'
    )
    with Laptop(folder / "state", regions=regions) as addresses:
        assert addresses.azure is not None
        found = addresses.azure
        yield Cloud(found.environment, ("--regions-file", str(regions)), lambda: asyncio.run(_hub(found)))


async def _hub(azure: AzureAddresses) -> dict[str, int]:
    credential = ClientSecretCredential(
        azure.tenant,
        azure.client_id,
        azure.client_secret,
        proxies={"https": azure.proxy_url},
        connection_verify=str(azure.ca_file),
    )
    http = AzureHttp(hub=azure.hub, credential=credential, ca_file=azure.ca_file, proxy=azure.proxy_url)
    try:
        answer = await http.send("GET", "/statistics/devices", until=asyncio.get_running_loop().time() + 60)
    finally:
        await http.close()
    counts = answer.document
    return {"devices": counts["totalDeviceCount"], "enabled": counts["enabledDeviceCount"]}


def _all(operation: Any, name: str, **arguments: Any) -> list[Any]:
    found: list[Any] = []
    marker: dict[str, Any] = {}
    while True:
        page = operation(**arguments, **marker)
        found += page[name]
        following = page.get("nextMarker") or page.get("nextToken")
        if not following or not page[name]:
            return found
        marker = {"marker": following} if "nextMarker" in page else {"nextToken": following}


def run(cloud: Cloud, arguments: list[str], folder: Path, *, kill_at: int = 0) -> tuple[float, float]:
    """
    Run the command, killed when the report has *kill_at* rows; return seconds, and its peak memory in megabytes.
    """
    environment = {k: v for k, v in {**os.environ, **cloud.environment}.items() if v is not None}
    started, peak = time.monotonic(), 0
    with subprocess.Popen([sys.executable, "-m", "firstlight", *arguments], env=environment, cwd=folder) as process:
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            if kill_at and _lines(folder / "report.csv") > kill_at:
                process.kill()
            time.sleep(0.2)
    return time.monotonic() - started, peak / 1024


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0].split()[1]) if found else 0


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cloud", choices=["aws", "azure"])
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.monotonic()
        manifest = cloud_id(folder / "reel.csv", reel(Factory(now=datetime.now(UTC)), given.count))
        print(f"{given.count} certificates issued in {time.monotonic() - started:.1f} s")
        with {"aws": aws, "azure": azure}[given.cloud](folder) as cloud:
            to = ("--to", f"{given.cloud}:{REGION[given.cloud]}", "--report", "report.csv")
            arguments = ["import", str(manifest), *to, *cloud.arguments]
            for kill_at in (given.count // 2, 0, 0):
                seconds, peak = run(cloud, arguments, folder, kill_at=kill_at)
                with Table(folder / "report.csv") as table:
                    statuses = Counter(row.get("status") for row in table.rows())
                print(f"{'killed after' if kill_at else 'ended after'} {seconds:.1f} s, peak {peak:.0f} MB: ", end="")
                print(f"report {dict(statuses)}, registry {cloud.holds()}", flush=True)


if __name__ == "__main__":
    main()
