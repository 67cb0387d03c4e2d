"""
The report of an import: a row per device, a checkpoint, a manifest.
"""

import csv
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.errors import UsageError
from firstlight.importing.report import Report, Row
from firstlight.manifests import Options, read
from tests.factory import Factory

_TO = "aws:eu-west-1:123456789012"


def _row(n: int, *, done: bool = True, fingerprint: str = "", message: str = "") -> Row:
    return Row(
        ref=f"d{n}",
        source=f"reel.csv row {n}",
        status="SUCCESS" if done else "ERROR",
        name=f"Infineon_{n}",
        fingerprint=fingerprint or _fingerprint(n),
        message=message,
        certificate=b"\x30\x01",
    )


def _fingerprint(n: int) -> str:
    return hashlib.sha256(bytes([n])).hexdigest()


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_says_everything_of_its_device(tmp_path: Path) -> None:
    """
    On one line, whatever is in it.
    """
    path = tmp_path / "report.csv"
    row = Row(
        ref="d,1\n",
        source='reel "7".csv row 2',
        status="ERROR",
        name="n",
        fingerprint="ab" * 32,
        message="no\r\nway",
        attributes=(("site", "Pune, 3"), ("line", "ü")),
        certificate=b"\x30",
    )

    with Report(path, to=_TO) as report:
        report.write([row])

    assert [
        {
            "ref": "d,1",
            "name": "n",
            "fingerprint": "ab" * 32,
            "status": "ERROR",
            "message": "no way",
            "to": _TO,
            "source": 'reel "7".csv row 2',
            "attributes": '{"site": "Pune, 3", "line": "ü"}',
            "certificate": "MA==",
        }
    ] == _table(path)
    assert 2 == path.read_bytes().count(b"\n")


def test_a_later_row_replaces_the_earlier_one_of_its_device(tmp_path: Path) -> None:
    """
    One row per device, in the order in which they were first heard of.
    """
    path = tmp_path / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([_row(1, done=False), _row(2), _row(3, done=False)])
    with Report(path, to=_TO) as report:
        report.write([_row(3), _row(1)])
        assert (3, 3) == (report.rows, report.done)

    assert [("d1", "SUCCESS"), ("d2", "SUCCESS"), ("d3", "SUCCESS")] == [(r["ref"], r["status"]) for r in _table(path)]


def test_done_is_one_certificate_in_one_place_only(tmp_path: Path) -> None:
    """
    A device that was given another certificate since is not done.
    """
    with Report(tmp_path / "report.csv", to=_TO) as report:
        report.write([_row(1), _row(2, done=False)])

        assert report.has_done("d1", "reel.csv row 1", _fingerprint(1))
        assert not report.has_done("d1", "reel.csv row 1", _fingerprint(9))
        assert not report.has_done("d1", "reel.csv row 7", _fingerprint(1))
        assert not report.has_done("d2", "reel.csv row 2", _fingerprint(2))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2000))
def test_a_report_cut_anywhere_goes_on(tmp_path_factory: pytest.TempPathFactory, at: int) -> None:
    """
    A half-written line is dropped; what was whole is done.
    """
    path = tmp_path_factory.mktemp("cut") / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([_row(n) for n in range(1, 8)])
    whole = path.read_bytes()
    path.write_bytes(whole[:at])

    with Report(path, to=_TO) as report:
        kept = report.done
        report.write([_row(n) for n in range(kept + 1, 8)])

    assert whole == path.read_bytes()
    assert kept == max(0, whole[:at].count(b"\n") - 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("ref;name\n", "is no report of an import, or was changed by hand."), (None, "is of an import to memory, not to")],
    ids=["other file", "other destination"],
)
def test_another_file_is_not_written_over(tmp_path: Path, content: str | None, sentence: str) -> None:
    """
    Nor is what was done elsewhere taken for done here.
    """
    path = tmp_path / "report.csv"
    if content is None:
        with Report(path, to="memory") as report:
            report.write([_row(1)])
    else:
        path.write_text(content)
    before = path.read_bytes()

    with pytest.raises(UsageError) as caught:
        Report(path, to=_TO)

    assert sentence in str(caught.value)
    assert str(caught.value).endswith("Name another file with --report.")
    assert before == path.read_bytes()


def test_two_imports_do_not_share_a_report(tmp_path: Path) -> None:
    """
    The second is told; a report without rows leaves nothing behind.
    """
    path = tmp_path / "report.csv"

    with Report(path, to=_TO), pytest.raises(UsageError, match="Another import is writing the report"):
        Report(path, to=_TO)

    assert not path.exists()


def test_the_rows_that_are_not_done_are_a_manifest(tmp_path: Path, factory: Factory) -> None:
    """
    With ref, place, certificate and attributes of the first time; what had no certificate stays the error it was.
    """
    path, leaf = tmp_path / "report.csv", factory.leaf()
    failed = Row(
        ref="d2",
        source="reel.csv row 3",
        status="ERROR",
        message="still throttled",
        attributes=(("a", "b"),),
        certificate=leaf.der,
    )
    hopeless = Row(ref="d3", source="reel.csv row 4", status="ERROR", message="reel.csv: row 4 has 2 cells.")
    with Report(path, to=_TO) as report:
        report.write([_row(1), failed, hopeless])

    again, still = read([path], Options())

    assert ("d2", leaf.der, "reel.csv row 3", (("a", "b"),)) == (
        again.ref,
        again.certificate,
        again.source,
        again.attributes,
    )
    assert ("d3", "reel.csv row 4", "reel.csv: row 4 has 2 cells.") == (still.ref, still.source, str(still.error))
