"""
`firstlight import` to a registry in memory: what it reads, says, writes and exits with.
"""

import base64
import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight.certificates import Certificate
from firstlight.manifests import Options, read
from tests.command_line import Firstlight, runner
from tests.factory import Factory
from tests.manifests import DATA, MicrochipSigner, bundle, cloud_id, reel, write_csv


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Firstlight:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def devices() -> list[Certificate]:
    return reel(Factory(now=datetime.now(UTC)), 300)


def _report(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_command_imports_a_manifest_and_reports_each_device(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]
) -> None:
    """
    The report's name says of what, and where to.
    """
    ran = firstlight("import", cloud_id(tmp_path / "reel.csv", devices), "--to", "memory", "--json")

    rows = _report(Path("reel.csv.memory.report.csv"))
    assert 0 == ran.code
    assert (300, 300, 0, "reel.csv.memory.report.csv") == tuple(
        ran.json[k] for k in ("devices", "done", "error", "report")
    )
    assert [(f"d{i}", f"Infineon_{c.serial}", c.fingerprint) for i, c in enumerate(devices, 1)] == [
        (r["ref"], r["name"], r["fingerprint"]) for r in rows
    ]
    assert {("SUCCESS", "memory")} == {(r["status"], r["to"]) for r in rows}
    assert base64.b64encode(devices[0].der).decode() == rows[0]["certificate"]
    assert "Importing 300 devices to memory, named by serial with the prefix Infineon_" in ran.said


def test_its_error_rows_are_the_manifest_of_the_next_try(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]
) -> None:
    """
    The report alone is enough: it knows where the import went, and which devices are not done.
    """
    first, rival = devices[0], Factory(now=datetime.now(UTC)).leaf(serial=devices[0].x509.serial_number)
    manifest = write_csv(
        tmp_path / "reel.csv",
        ("device_id", "certificate"),
        [("d1", first.pem), ("d2", rival.pem), ("d3", "no certificate")],
    )

    ran = firstlight("import", manifest, "--to", "memory", "--report", "r.csv")
    assert 1 == ran.code
    assert [("d1", "SUCCESS"), ("d2", "ERROR"), ("d3", "ERROR")] == [
        (r["ref"], r["status"]) for r in _report(Path("r.csv"))
    ]
    assert "Infineon_10000000 belongs to another certificate" in ran.out

    # memory forgets, so the rival has the name for itself now
    again = firstlight("import", "r.csv", "--json")

    assert 1 == again.code
    assert (2, 1, 1) == tuple(again.json[k] for k in ("devices", "done", "error"))
    rows = _report(Path("r.csv"))
    assert [("d1", "SUCCESS"), ("d2", "SUCCESS"), ("d3", "ERROR")] == [(r["ref"], r["status"]) for r in rows]
    assert ["reel.csv row 2", "reel.csv row 3", "reel.csv row 4"] == [r["source"] for r in rows]


def test_a_report_that_is_written_into_is_read_as_it_was(firstlight: Firstlight, tmp_path: Path) -> None:
    """
    What fails again has no row that is tried again and again.
    """
    manifest = write_csv(tmp_path / "reel.csv", ("device_id", "certificate"), [(f"d{i}", "none") for i in range(700)])
    firstlight("import", manifest, "--to", "memory", "--report", "r.csv")

    ran = firstlight("import", "r.csv", "--json")

    assert (700, 700, 0) == tuple(ran.json[k] for k in ("devices", "error", "not_reached"))
    assert 700 == len(_report(Path("r.csv")))


def test_the_same_command_again_does_nothing_twice(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]
) -> None:
    """
    And what came to the manifest since is done.
    """
    manifest = cloud_id(tmp_path / "reel.csv", devices[:10])
    firstlight("import", manifest, "--to", "memory")
    cloud_id(manifest, devices[:12])

    ran = firstlight("import", manifest, "--to", "memory", "--json")

    assert (0, 2, 10) == (ran.code, ran.json["done"], ran.json["done_before"])
    assert 12 == len(_report(Path("reel.csv.memory.report.csv")))


def test_t1_an_inner_archive_of_ten_thousand_certificates_is_not_cut_short(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]
) -> None:
    """
    A whole reel, in an archive beyond four megabytes.
    """
    ten = {f"{i:020X}": os.urandom(400) for i in range(10_000)}
    manifest = bundle(tmp_path / "reel.7z", {"E0E0": ten, "E0E1": {"A": devices[0].pem.encode()}}, R_keys__7z=b"secret")

    assert ten == {record.ref: record.certificate for record in read([manifest], Options(objects=("E0E0",)))}

    ran = firstlight("import", manifest, "--to", "memory", "--object", "E0E1")
    assert 0 == ran.code
    assert "R_keys.7z holds encrypted keys, which no cloud needs; it is left alone." in ran.said


def test_a_microchip_manifest_is_believed_by_its_signer(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]
) -> None:
    """
    T9: a flipped character costs its entry, which is reported, and no other.
    """
    signer = MicrochipSigner()
    entries = [signer.entry(f"{i:04}", [c]) for i, c in enumerate(devices[:10])]
    entries[3]["signature"] = (
        entries[3]["signature"][:10]
        + ("A" if entries[3]["signature"][10] != "A" else "B")
        + entries[3]["signature"][11:]
    )
    (tmp_path / "chips.json").write_text(json.dumps(entries))
    (tmp_path / "signer.pem").write_text(signer.certificate.pem)

    ran = firstlight("import", tmp_path / "chips.json", "--to", "memory", "--signer", tmp_path / "signer.pem")

    rows = _report(Path("chips.json.memory.report.csv"))
    assert 1 == ran.code
    assert {"0003"} == {r["ref"] for r in rows if r["status"] == "ERROR"}
    assert 10 == len(rows)
    assert "entry 4 has a signature that does not hold" in ran.out


def test_naming_and_attributes_are_options(firstlight: Firstlight, tmp_path: Path, devices: list[Certificate]) -> None:
    """
    As regions.toml says, unless said here; further columns become attributes by name.
    """
    (tmp_path / "regions.toml").write_text(
        '[aws.eu-west-1]\ntoken_key_url = "https://k.example.com/k"\nnaming = "fingerprint"\n'
    )
    manifest = write_csv(tmp_path / "any.csv", ("Board", "Site", "PEM"), [("b1", "Pune", devices[0].pem)])

    columns = ("--certificate-column", "pem", "--ref-column", "board", "--attribute", "where=site")
    ran = firstlight(
        "import",
        manifest,
        "--to",
        "memory",
        "--naming",
        "fingerprint",
        "--thing-prefix",
        "x-",
        *columns,
        "--report",
        "r",
    )

    (row,) = _report(Path("r"))
    assert 0 == ran.code
    assert ("b1", f"x-{devices[0].fingerprint}", '{"where": "Pune"}') == (row["ref"], row["name"], row["attributes"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Where to? Give --to aws:REGION"),
        (("--to", "gcp:x"), "'gcp:x' is no destination."),
        (("--to", "memory", "--format", "infineon"), "cannot be unpacked"),
        (("--to", "memory", "--attribute", "colour"), "has no field 'colour'"),
        (("--to", "memory", "--report", "gone/r.csv"), "cannot be written"),
        (("--to", "azure:x", "--hub", "hub.example", "--quota", "a=1"), "'a' is no quota of a hub."),
        (("--to", "https://api.example.com"), "A push needs credentials."),
        (("--to", "https://api.example.com", "--attribute", "*", "--basic", "me:pw"), "takes no attributes"),
    ],
    ids=["nowhere", "unknown", "format", "attribute", "report", "quota", "credentials", "API"],
)
def test_asked_wrongly_it_leaves_nothing_behind(
    firstlight: Firstlight, tmp_path: Path, devices: list[Certificate], arguments: tuple[str, ...], sentence: str
) -> None:
    """
    One sentence, exit status 2, no report.
    """
    Path("pw").write_text("secret")
    Path("pw").chmod(0o600)

    ran = firstlight("import", cloud_id(tmp_path / "reel.csv", devices[:1]), *arguments)

    assert 2 == ran.code
    assert sentence in ran.said
    assert ["pw"] == [found.name for found in Path().iterdir()]


def test_the_real_manifests_import_completely(firstlight: Firstlight) -> None:
    """
    600 Infineon certificates, 10 Microchip, 7 Espressif, where the samples are at hand.
    """
    if not DATA.exists():
        return
    signers = [part for file in (DATA / "microchip" / "mchp_verifiers").iterdir() for part in ("--signer", file)]
    for name, count in (
        ("infineon/manifest-infineon-nokeys.7z", 600),
        ("microchip/ECC608C-TNGTLSU-B.json", 10),
        ("espressif/manifest-espressif.csv", 7),
    ):
        ran = firstlight("import", DATA / name, "--to", "memory", *signers, "--json")

        assert (0, count, count) == (ran.code, ran.json["devices"], ran.json["done"])
        assert count == len({r["name"] for r in _report(Path(ran.json["report"]))})
