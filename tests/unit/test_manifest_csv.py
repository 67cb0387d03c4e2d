"""
The CSV formats: Cloud ID, Espressif, and any with named columns.
"""

import base64
import itertools
import tracemalloc
from pathlib import Path

import pytest

from firstlight import certificates
from firstlight.errors import UsageError
from firstlight.manifests import Options, read
from firstlight.manifests.attributes import Wanted
from tests.factory import Factory
from tests.manifests import DATA, cloud_id, write_csv

_NAMED = Options(certificate_column="Client Cert", ref_column="Board")


def _wanted(*texts: str) -> tuple[Wanted, ...]:
    return tuple(map(Wanted.parse, texts))


def test_a_cloud_id_manifest_is_a_record_a_row(tmp_path: Path, factory: Factory) -> None:
    """
    Ref, certificate and place; blank rows are none.
    """
    leaf = factory.leaf()
    path = write_csv(
        tmp_path / "reel.csv",
        ("device_id", "group_id", "certificate"),
        [("d1", "B", leaf.pem), ("", "", ""), ("d2", "B", base64.b64encode(leaf.der).decode())],
    )

    found = list(read([path]))

    assert [("d1", "reel.csv row 2"), ("d2", "reel.csv row 4")] == [(r.ref, r.source) for r in found]
    assert {leaf.fingerprint} == {certificates.load(r.certificate).fingerprint for r in found}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("d2,B\n", "row 3 has 2 cells; the header has 3."),
        (",B,x\n", "row 3 has no device_id."),
        ("d2,B,\n", "row 3 has no certificate."),
        ('d2,B,"x"y\n', "row 3 is not CSV:"),
        ("d\udce4,B,x\n", "row 3 is not UTF-8."),
    ],
    ids=["cells", "ref", "certificate", "quote", "latin-1"],
)
def test_t3_a_malformed_row_is_an_error_and_the_others_go_on(tmp_path: Path, row: str, sentence: str) -> None:
    """
    One bad record failed its batch of ten.
    """
    path = tmp_path / "reel.csv"
    text = f"device_id,group_id,certificate\nd1,B,x\n{row}d3,B,z\n"
    path.write_bytes(text.encode(errors="surrogateescape"))

    found = list(read([path]))

    assert [None, f"{path}: {sentence}", None] == [
        r.error and r.error.message[: len(f"{path}: {sentence}")] for r in found
    ]
    assert ["reel.csv row 2", "reel.csv row 3", "reel.csv row 4"] == [r.source for r in found]


def test_a_quote_that_never_ends_costs_the_rows_it_swallows_and_is_said(tmp_path: Path) -> None:
    """
    The file's end is not taken for the end of the devices.
    """
    path = tmp_path / "reel.csv"
    path.write_text('device_id,group_id,certificate\nd1,B,x\nd2,B,"y\nd3,B,z\n')

    assert ["d1", ""] == [r.ref for r in read([path])]
    assert "is not CSV" in str(list(read([path]))[1].error)


def test_an_espressif_manifest_has_pem_over_many_lines_and_columns_nobody_needs(
    tmp_path: Path, factory: Factory
) -> None:
    """
    The MAC is the ref; an encrypted key is nothing to us.
    """
    path = write_csv(
        tmp_path / "esp.csv", ("MAC", "cn", "cert", "encrypted_key"), [("4BA2", "uuid", factory.leaf().pem, "AAAA")]
    )

    (found,) = read([path], Options(attributes=_wanted("*")))

    assert ("4BA2", "esp.csv row 2", (("cn", "uuid"),)) == (found.ref, found.source, found.attributes)


def test_columns_of_any_csv_are_named_by_the_operator(tmp_path: Path, factory: Factory) -> None:
    """
    Certificate, ref and attributes; capitals do not matter, and `*` takes no secret.
    """
    header = ("board", "Site", "Line", "client cert", "wifi_password")
    path = write_csv(tmp_path / "any.csv", header, [("b1", "Pune", "", factory.leaf().pem, "hunter2")])

    found = [
        next(read([path], Options(certificate_column="Client Cert", ref_column="Board", attributes=_wanted(*texts))))
        for texts in ((), ("site",), ("place=Site", "Line"), ("*",), ("wifi_password",))
    ]

    assert ["b1"] * 5 == [r.ref for r in found]
    assert [
        (),
        (("site", "Pune"),),
        (("place", "Pune"),),
        (("Site", "Pune"),),
        (("wifi_password", "hunter2"),),
    ] == [r.attributes for r in found]


def test_without_a_ref_column_a_device_is_called_by_its_row(tmp_path: Path) -> None:
    """
    Every record has a ref.
    """
    path = write_csv(tmp_path / "any.csv", ("cert", "x"), [("a", "b"), ("c", "d")])

    assert ["2", "3"] == [r.ref for r in read([path], Options(certificate_column="cert"))]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (_NAMED, "has no column Board and no column Client Cert. It has: device_id, certificate."),
        (Options(attributes=_wanted("colour")), "has no field 'colour'. It has: device_id, certificate."),
    ],
    ids=["columns", "attribute"],
)
def test_a_column_that_is_not_there_is_said_before_anything_is_read(
    tmp_path: Path, options: Options, sentence: str
) -> None:
    """
    With those that are.
    """
    path = write_csv(tmp_path / "any.csv", ("device_id", "certificate"), [("d1", "x")])

    with pytest.raises(UsageError) as caught:
        next(read([path], options, name="csv" if options is _NAMED else ""))

    assert f"{path} {sentence}" == str(caught.value)


@pytest.mark.parametrize("text", ["", "=Site", "NAME=", "*=x"])
def test_an_attribute_that_names_nothing_is_refused(text: str) -> None:
    """
    In one sentence.
    """
    with pytest.raises(UsageError, match="names no attribute"):
        Wanted.parse(text)


def test_ten_thousand_rows_stay_small_in_memory(tmp_path: Path, factory: Factory) -> None:
    """
    Rows are read when they are asked for.
    """
    pem = factory.leaf().pem
    path = cloud_id(tmp_path / "reel.csv", [])
    with path.open("a", newline="") as file:
        file.writelines(f'd{i},B,"{pem}"\r\n' for i in range(10_000))
    tracemalloc.start()

    count = sum(1 for _ in itertools.islice(read([path]), None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 10_000 == count
    assert peak < 2**20


def test_the_real_espressif_manifest_is_read_whole() -> None:
    """
    Seven devices, where the sample is at hand.
    """
    path = DATA / "espressif" / "manifest-espressif.csv"
    if path.exists():
        assert 7 == len([certificates.load(r.certificate) for r in read([path])])


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    """
    Whatever is in it; as a header it is refused.
    """
    header, body = "device_id,certificate\n", "A" * 2**23
    (tmp_path / "a.csv").write_text(header + body + "\n")
    (tmp_path / "b.csv").write_text(header.strip() + "," * 2**20)

    tracemalloc.start()
    try:
        errors = [str(r.error) for r in read([tmp_path / "a.csv"])]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "row 2 is not CSV: field larger" in errors[0]
    assert peak < 2**22
    with pytest.raises(UsageError, match="row 1 names more than 1000 columns"):
        list(read([tmp_path / "b.csv"]))


def test_pem_on_one_line_has_its_line_ends_written_out(tmp_path: Path, factory: Factory) -> None:
    r"""
    As `\n` or `\r\n`, which is how JSON tools hand it on.
    """
    leaf = factory.leaf()
    rows = [(f"d{i}", leaf.pem.replace("\n", end)) for i, end in enumerate(("\\n", "\\r\\n"))]
    path = write_csv(tmp_path / "reel.csv", ("device_id", "certificate"), rows)

    assert [leaf.der] * 2 == [certificates.load(r.certificate).der for r in read([path])]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """
    Which of two certificates is the device's, nobody can know.
    """
    path = write_csv(tmp_path / "reel.csv", ("device_id", "certificate", "Certificate"), [("d1", "a", "b")])

    with pytest.raises(UsageError, match="has the column certificate more than once"):
        list(read([path]))


def test_attributes_beyond_any_device_are_an_error_of_their_row(tmp_path: Path) -> None:
    """
    They would be in the report, and in every try.
    """
    path = write_csv(
        tmp_path / "reel.csv", ("device_id", "certificate", "note"), [("d1", "x", "y" * 60_000), ("d2", "x", "y")]
    )

    first, second = read([path], Options(attributes=_wanted("note")))

    assert f"{path}: row 2 has attributes of more than 49152 characters." == str(first.error)
    assert (None, (("note", "y"),)) == (second.error, second.attributes)
