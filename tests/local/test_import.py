"""
`firstlight import` to the laptop's clouds and to an ingest API: killed, gone on with, complete.
"""

import asyncio
import csv
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.local.addresses import Addresses, unproxied
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.provision import Registry
from firstlight.registries.memory import MemoryRegistry
from tests.factory import Factory
from tests.local import processes
from tests.local.conftest import REGION
from tests.local.ingesting import ingest
from tests.manifests import cloud_id, reel, write_csv


def _environment(variables: Mapping[str, str | None]) -> dict[str, str]:
    return {k: v for k, v in {**os.environ, **variables}.items() if v is not None}


@contextmanager
def _importing(
    folder: Path, variables: Mapping[str, str | None], *arguments: object
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "firstlight", "import", *map(str, arguments)]
    process = subprocess.Popen(
        command, env=_environment(variables), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_killed_in_the_middle_it_goes_on_and_registers_nothing_twice(laptop: Addresses, tmp_path: Path) -> None:
    """
    What the report had as done is not asked for again; what was in flight is repaired; nothing is lost.
    """
    factory = Factory("Reel CA", now=datetime.now(UTC))
    devices = reel(factory, 400)
    manifest, report = cloud_id(tmp_path / "reel.csv", devices), tmp_path / "r.csv"
    where = ("--to", f"aws:{REGION}", "--report", report, "--thing-prefix", "reel-", "--json")
    variables = {**laptop.environment, **unproxied({})}

    with _importing(tmp_path, variables, manifest, *where) as first:
        assert processes.soon(lambda: len(_rows(report)) >= 60, 60)
        first.send_signal(signal.SIGKILL)
        first.wait()
    before = len(_rows(report))
    with _importing(tmp_path, variables, manifest, *where) as second:
        out, said = second.communicate(timeout=120)

    assert 0 == second.returncode, said
    assert before < 400
    assert f'"done_before": {before}' in out
    rows = _rows(report)
    assert {d.fingerprint for d in devices} == {r["fingerprint"] for r in rows}
    assert (400, {"SUCCESS"}, {f"aws:{REGION}:{laptop.account}"}) == (
        len(rows), {r["status"] for r in rows}, {r["to"] for r in rows},
    )  # fmt: skip
    iot = laptop.client("iot")
    assert 400 == sum(n.startswith("reel-") for n in _all_things(iot))
    for device in devices[::70]:
        arn = f"arn:aws:iot:{REGION}:{laptop.account}:cert/{device.fingerprint}"
        assert [arn] == iot.list_thing_principals(thingName=f"reel-{device.serial}")["principals"]
        assert ["FirstlightDevice"] == [p["policyName"] for p in iot.list_attached_policies(target=arn)["policies"]]


def test_interrupted_it_finishes_what_is_in_flight_and_reports(laptop: Addresses, tmp_path: Path) -> None:
    """
    Ctrl-C costs nothing: what was reached has its row, and the summary says what was not.
    """
    devices = reel(Factory("Second Reel CA", now=datetime.now(UTC)), 500)
    manifest, report = cloud_id(tmp_path / "reel.csv", devices), tmp_path / "r.csv"
    where = ("--to", f"aws:{REGION}", "--report", report, "--thing-prefix", "second-", "--json")

    with _importing(tmp_path, {**laptop.environment, **unproxied({})}, manifest, *where) as process:
        assert processes.soon(lambda: len(_rows(report)) >= 60, 60)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=120)

    rows = _rows(report)
    assert 1 == process.returncode
    assert "finishing what is in flight" in said
    assert f'"not_reached": {500 - len(rows)}' in out
    assert {"SUCCESS": len(rows)} == Counter(r["status"] for r in rows)
    made = [n for n in _all_things(laptop.client("iot")) if n.startswith("second-")]
    assert {r["name"] for r in rows} == set(made)


def test_types_groups_and_attributes_are_options(laptop: Addresses, tmp_path: Path) -> None:
    """
    A thing's type and groups by name, a manifest's columns as its attributes.
    """
    iot = laptop.client("iot")
    iot.create_thing_type(thingTypeName="sensor")
    iot.create_thing_group(thingGroupName="pune")
    leaf = Factory("Third Reel CA", now=datetime.now(UTC)).leaf()
    manifest = write_csv(tmp_path / "m.csv", ("device_id", "line", "certificate"), [("d1", "L7", leaf.pem)])
    where = (
        "--to",
        f"aws:{REGION}",
        "--thing-type",
        "sensor",
        "--thing-group",
        "pune",
        "--attribute",
        "*",
        "--naming",
        "fingerprint",
    )

    with _importing(tmp_path, {**laptop.environment, **unproxied({})}, manifest, *where) as process:
        _, said = process.communicate(timeout=60)

    assert 0 == process.returncode, said
    thing = iot.describe_thing(thingName=leaf.fingerprint)
    assert ("sensor", "L7") == (thing["thingTypeName"], thing["attributes"]["line"])
    assert [leaf.fingerprint] == iot.list_things_in_thing_group(thingGroupName="pune")["things"]


def test_the_same_on_azure(laptop_azure: AzureAddresses, tmp_path: Path) -> None:
    """
    The hub is the one that was deployed; columns become tags.
    """
    devices = reel(Factory("Azure Reel CA", now=datetime.now(UTC)), 400)
    rows = [(f"d{i}", "L7", c.pem) for i, c in enumerate(devices)]
    manifest = write_csv(tmp_path / "m.csv", ("device_id", "line", "certificate"), rows)
    (tmp_path / "regions.toml").write_text('[azure.westeurope]\ntoken_key_url = "https://keys.example.com/key.pem"\n')
    where = (
        "--to",
        "azure:westeurope",
        "--report",
        "r.csv",
        "--attribute",
        "line",
        "--thing-prefix",
        "reel-",
        "--json",
    )

    with _importing(tmp_path, laptop_azure.environment, manifest, *where) as process:
        out, said = process.communicate(timeout=120)

    assert 0 == process.returncode, said
    assert '"done": 400' in out
    found = _rows(tmp_path / "r.csv")
    assert {f"reel-{d.serial}" for d in devices} == {r["name"] for r in found}
    assert {f"azure:westeurope:{laptop_azure.hub}"} == {r["to"] for r in found}


def test_an_ingest_api_takes_an_import_too(tmp_path: Path) -> None:
    """
    As a Cloud ID service would push it; the server names the devices.
    """
    devices = reel(Factory(), 120)
    manifest = cloud_id(tmp_path / "reel.csv", devices)
    (tmp_path / "pw").write_text("secret")
    (tmp_path / "pw").chmod(0o600)
    registry = MemoryRegistry()

    with (
        _served(registry) as url,
        _importing(tmp_path, unproxied({}), manifest, "--to", url, "--basic", "me:pw", "--report", "r.csv") as process,
    ):
        _, said = process.communicate(timeout=60)

    assert 0 == process.returncode, said
    assert 120 == len(registry.devices)
    assert {(f"d{i}", "SUCCESS") for i in range(1, 121)} == {(r["ref"], r["status"]) for r in _rows(tmp_path / "r.csv")}


@contextmanager
def _served(registry: Registry) -> Iterator[str]:
    ready, url, end = threading.Event(), [""], asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with ingest(registry) as served:
            url[0] = served.url
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield url[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def _all_things(iot: Any) -> set[str]:
    found: set[str] = set()
    token: dict[str, str] = {}
    while True:
        page = iot.list_things(**token)
        found |= {thing["thingName"] for thing in page["things"]}
        if not page.get("nextToken"):
            return found
        token = {"nextToken": page["nextToken"]}
