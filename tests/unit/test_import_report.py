"""
The report of an import: a row per device, a checkpoint, a manifest.
"""

import csv
import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.errors import ReportError, UsageError
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


def test_another_certificate_in_the_same_place_takes_no_row_away(tmp_path: Path) -> None:
    """
    A maker who calls every manifest alike, and one who issued a certificate again: each was done, or was not.
    """
    path = tmp_path / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([_row(1), _row(2, done=False)])
    with Report(path, to=_TO) as report:
        report.write([_row(1, fingerprint=_fingerprint(8), done=False), _row(2, fingerprint=_fingerprint(9))])
        assert (4, 2) == (report.rows, report.done)
        assert report.has_done("d1", "reel.csv row 1", _fingerprint(1))
        assert not report.has_done("d1", "reel.csv row 1", _fingerprint(8))

    assert [
        ("d1", _fingerprint(1), "SUCCESS"),
        ("d2", _fingerprint(2), "ERROR"),
        ("d1", _fingerprint(8), "ERROR"),
        ("d2", _fingerprint(9), "SUCCESS"),
    ] == [(r["ref"], r["fingerprint"], r["status"]) for r in _table(path)]


def test_a_certificate_replaces_the_row_of_its_place_that_had_none(tmp_path: Path) -> None:
    """
    A manifest that was mended leaves no row of what was wrong with it; one that was damaged since costs none.
    """
    path = tmp_path / "report.csv"
    damaged = Row(ref="d1", source="reel.csv row 1", status="ERROR", message="it cannot be read")
    with Report(path, to=_TO) as report:
        report.write([damaged])
    with Report(path, to=_TO) as report:
        report.write([_row(1)])
        assert (1, 1) == (report.rows, report.done)
    assert [("d1", "SUCCESS")] == [(r["ref"], r["status"]) for r in _table(path)]

    with Report(path, to=_TO) as report:
        report.write([damaged])
        assert (2, 1) == (report.rows, report.done)
    assert [("d1", "SUCCESS"), ("d1", "ERROR")] == [(r["ref"], r["status"]) for r in _table(path)]

    with Report(path, to=_TO) as report:
        assert not report.has_done("d1", "reel.csv row 1", _fingerprint(1))
        report.write([_row(1)])
        assert report.has_done("d1", "reel.csv row 1", _fingerprint(1))
    assert [("d1", "SUCCESS")] == [(r["ref"], r["status"]) for r in _table(path)]


def test_what_has_no_certificate_was_never_done(tmp_path: Path) -> None:
    """
    Whatever somebody made of a row's fingerprint.
    """
    path = tmp_path / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([Row(ref="d1", source="reel.csv row 1", status="SUCCESS")])

        assert not report.has_done("d1", "reel.csv row 1", "")


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

    notes: list[str] = []
    again, still = read([path], Options(note=notes.append))

    assert [f"report.csv: 1 devices are SUCCESS in {_TO} and left alone."] == notes
    assert ("d2", leaf.der, "reel.csv row 3", (("a", "b"),)) == (
        again.ref,
        again.certificate,
        again.source,
        again.attributes,
    )
    assert ("d3", "reel.csv row 4", "reel.csv: row 4 has 2 cells.") == (still.ref, still.source, str(still.error))


@pytest.mark.parametrize("broken", [b"\n", b"d2,reel\n", b"fingerprint"], ids=["blank", "short", "fingerprint"])
def test_a_line_that_was_changed_by_hand_costs_no_row_behind_it(tmp_path: Path, broken: bytes) -> None:
    """
    Only the last line can be half written; another is nobody's to drop, with the devices below it.
    """
    path = tmp_path / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([_row(n) for n in range(1, 4)])
    lines = path.read_bytes().splitlines(keepends=True)
    if broken == b"fingerprint":
        lines[2] = lines[2].replace(_fingerprint(2).encode(), b"2,3E+76")
    else:
        lines.insert(2, broken)
    path.write_bytes(b"".join(lines))

    with pytest.raises(UsageError, match="line 3 is no report of an import, or was changed by hand"):
        Report(path, to=_TO)

    assert b"".join(lines) == path.read_bytes()


@pytest.mark.parametrize("ref", ["=cmd|'/C calc'!A0", "+1", "-2", "@x", "'=x", "'", "plain"])
def test_no_cell_is_a_formula_to_a_spreadsheet_and_comes_back_as_it_was(
    tmp_path: Path, factory: Factory, ref: str
) -> None:
    """
    Refs and file names are the words of whoever made the manifest.
    """
    path, leaf = tmp_path / "report.csv", factory.leaf()
    row = Row(ref=ref, source=f"{ref} row 2", status="ERROR", message=f"{ref} it is", certificate=leaf.der)
    with Report(path, to=_TO) as report:
        report.write([row])

    (found,) = _table(path)
    (again,) = read([path], Options())
    with Report(path, to=_TO) as report:
        report.write([Row(ref=ref, source=f"{ref} row 2", status="SUCCESS", fingerprint=leaf.fingerprint)])
        assert report.has_done(ref, f"{ref} row 2", leaf.fingerprint)

    assert all(found[name][:1] not in "=+-@" for name in ("ref", "source", "message"))
    assert (ref, f"{ref} row 2") == (again.ref, again.source)
    assert 1 == len(_table(path))


def test_a_full_disk_is_said_and_what_was_written_holds(tmp_path: Path) -> None:
    """
    The next run goes on where the report ends, and no scratch file is left.
    """
    path = tmp_path / "report.csv"
    with Report(path, to=_TO) as report:
        report.write([_row(1)])

    with _room_for(path.stat().st_size + 100), pytest.raises(ReportError, match="cannot be written: File too large"):
        _rewritten(path)
    with Report(path, to=_TO) as report:
        assert (1, 1) == (report.rows, report.done)
        report.write([_row(1, message="again" * 10)])
    with _room_for(200), pytest.raises(ReportError, match="cannot be written"), Report(path, to=_TO) as report:
        report._replaced = True  # noqa: SLF001 -- as after a row that replaces another

    assert [("d1", "SUCCESS")] == [(r["ref"], r["status"]) for r in _table(path)]
    assert ["report.csv"] == [file.name for file in tmp_path.iterdir()]


def _rewritten(path: Path) -> None:
    with Report(path, to=_TO) as report:
        report.write([_row(1, done=False), _row(2)])


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_report_is_a_file() -> None:
    """
    One without rows is removed in the end, and a device of this machine would be.
    """
    with pytest.raises(UsageError, match="The report /dev/null cannot be written: it is no file"):
        Report(Path("/dev/null"), to=_TO)


def test_what_is_too_long_for_a_cell_is_read_again(tmp_path: Path) -> None:
    """
    A ref may be as long as a cell of the manifest.
    """
    path, row = tmp_path / "report.csv", Row(ref="x" * 200_000, source="s", status="ERROR", message="y" * 300_000)
    with Report(path, to=_TO) as report:
        report.write([row])

    with Report(path, to=_TO) as report:
        assert 1 == report.rows
