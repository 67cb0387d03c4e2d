"""
A manifest put into the bucket of a deployed stack: its devices come to be, and its report says so.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.outputs import ManifestOutput
from tests.factory import Factory
from tests.local import processes
from tests.manifests import bundle, reel, write_csv

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def factory() -> Factory:
    return Factory("Upload CA", now=datetime.now(UTC))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """
    A laptop AWS whose ingest stack takes manifests by upload.
    """
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "token.pem").write_bytes(pki.public_pem(pki.new_key()))
    regions = folder / "regions.toml"
    regions.write_text(
        f'[aws.{REGION}]\ntoken_key_file = "token.pem"\njitp = false\nmanifest_uploads = true\n'
        'naming = "fingerprint"\nmanifest_attributes = ["place=line"]\n'
    )
    with Laptop(folder / "state", regions=regions) as addresses:
        yield addresses


def _bucket(laptop: Addresses) -> str:
    return laptop.outputs[f"FirstlightIngest-{REGION}"][ManifestOutput.BUCKET]


def _report(laptop: Addresses, key: str) -> list[dict[str, str]]:
    s3 = laptop.client("s3")
    try:
        body = s3.get_object(Bucket=_bucket(laptop), Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return []
    return list(csv.DictReader(body.decode().splitlines()))


def _ready(laptop: Addresses, fingerprint: str) -> bool:
    iot = laptop.client("iot")
    arn = f"arn:aws:iot:{REGION}:{laptop.account}:cert/{fingerprint}"
    try:
        status = iot.describe_certificate(certificateId=fingerprint)["certificateDescription"]["status"]
    except iot.exceptions.ResourceNotFoundException:
        return False
    return status == "ACTIVE" and bool(iot.list_attached_policies(target=arn)["policies"])


def test_uploaded_devices_come_to_be_and_the_report_lies_beside(
    laptop: Addresses, factory: Factory, tmp_path: Path
) -> None:
    """
    An Espressif manifest, under a key that has to be encoded; a bad row is in the report, the others are READY.
    """
    devices = reel(factory, 12)
    rows = [(f"MAC{i}", "L7", c.pem) for i, c in enumerate(devices)] + [("MAC99", "L7", "none")]
    manifest = write_csv(tmp_path / "reel.csv", ("MAC", "line", "cert"), rows)
    key = "manifests/Werk ü+1/reel (7)%20.csv"

    laptop.client("s3").put_object(Bucket=_bucket(laptop), Key=key, Body=manifest.read_bytes())

    report = "reports/Werk ü+1/reel (7)%20.csv.csv"
    assert processes.soon(lambda: len(_report(laptop, report)) == 13, 60)
    assert processes.soon(lambda: all(_ready(laptop, d.fingerprint) for d in devices), 60)
    found = _report(laptop, report)
    assert {(f"MAC{i}", "QUEUED") for i in range(12)} | {("MAC99", "ERROR")} == {(r["ref"], r["status"]) for r in found}
    assert {f"aws:{REGION}:{laptop.account}"} == {r["to"] for r in found}
    thing = laptop.client("iot").describe_thing(thingName=devices[0].fingerprint)
    assert "L7" == thing["attributes"]["place"]


def test_an_archive_of_archives_is_read_there_too(laptop: Addresses, factory: Factory, tmp_path: Path) -> None:
    """
    In the function's own scratch space.
    """
    device = factory.leaf()
    manifest = bundle(tmp_path / "reel.7z", {"E0E0": {"0A09": device.pem.encode()}})

    laptop.client("s3").upload_file(str(manifest), _bucket(laptop), "manifests/reel.7z")

    assert processes.soon(lambda: _ready(laptop, device.fingerprint), 60)
    assert [("0A09", "QUEUED")] == [(r["ref"], r["status"]) for r in _report(laptop, "reports/reel.7z.csv")]
