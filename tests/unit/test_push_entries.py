import base64
import csv
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.errors import UsageError
from firstlight.push import Entry, read
from tests.factory import Factory


def _refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read([path])
    return str(caught.value)


def _manifest(
    path: Path, *rows: tuple[str, ...], header: tuple[str, ...] = ("device_id", "group_id", "certificate")
) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_a_file_is_one_entry_called_by_its_stem(tmp_path: Path, factory: Factory) -> None:
    """
    A chain is passed on whole: which block is the leaf is the server's to say.
    """
    file = tmp_path / "motor.7.pem"
    pki.write_certificate(file, factory.leaf(), factory.ca)

    assert [Entry("motor.7", file.read_bytes(), "motor.7.pem")] == read([file])


def test_der_is_pushed_as_pem(tmp_path: Path, factory: Factory) -> None:
    """
    The protocol carries PEM text.
    """
    leaf = factory.leaf()
    file = tmp_path / "device.der"
    file.write_bytes(leaf.der)

    assert leaf.pem.encode() == read([file])[0].certificate


def test_a_folder_is_its_certificate_files_in_order_of_name(tmp_path: Path, factory: Factory) -> None:
    """
    Keys and other files lie beside certificates; subfolders are not searched.
    """
    for name in ("b.pem", "a.crt", "c.cer"):
        pki.write_certificate(tmp_path / name, factory.leaf())
    pki.write_key(tmp_path / "b-key.pem", factory.key)
    (tmp_path / "notes.txt").write_text("the third reel")
    (tmp_path / "sub").mkdir()
    pki.write_certificate(tmp_path / "sub" / "d.pem", factory.leaf())

    assert ["a", "b", "c"] == [entry.ref for entry in read([tmp_path])]


def test_a_folder_without_certificates_is_said(tmp_path: Path, factory: Factory) -> None:
    """
    Nothing pushed is not what was asked for.
    """
    pki.write_key(tmp_path / "device-key.pem", factory.key)

    assert f"{tmp_path} holds no certificate file. They end in .pem, .crt, .cer or .der." == _refusal(tmp_path)


def test_the_same_file_twice_is_two_entries(tmp_path: Path, factory: Factory) -> None:
    """
    Duplicates are the server's to answer.
    """
    file = tmp_path / "a.pem"
    pki.write_certificate(file, factory.leaf())

    assert ["a", "a"] == [entry.ref for entry in read([file, file])]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no certificate: Cannot decode certificate"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n", "this is a certificate signing request"),
        (b"-----BEGIN PRIVATE KEY-----\n", "a private key was sent instead"),
        (b"x" * 300_000, "is too large for a certificate"),
    ],
    ids=["empty", "request", "key", "huge"],
)
def test_a_named_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    """
    The sentence names the file and says what it is.
    """
    file = tmp_path / "odd.pem"
    file.write_bytes(content)

    refusal = _refusal(file)

    assert refusal.startswith(str(file))
    assert sentence in refusal


def test_a_missing_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """
    Not in a traceback.
    """
    assert f"{tmp_path / 'gone.pem'} cannot be read: No such file or directory." == _refusal(tmp_path / "gone.pem")


def test_a_manifest_is_one_entry_a_row_called_by_its_device_id(tmp_path: Path, factory: Factory) -> None:
    """
    Rows are numbered as a spreadsheet shows them, and blank ones are none.
    """
    first, second = factory.leaf(), factory.leaf()
    path = _manifest(tmp_path / "reel.csv", ("d1", "BID", first.pem), ("", "", ""), ("d2", "BID", second.pem))

    assert [("d1", "reel.csv row 2"), ("d2", "reel.csv row 4")] == [(e.ref, e.source) for e in read([path])]


@pytest.mark.parametrize("spelling", ["pem", "escaped", "base64 of PEM", "base64 of DER"])
def test_a_manifest_may_spell_a_certificate_in_four_ways(tmp_path: Path, factory: Factory, spelling: str) -> None:
    """
    Exports and spreadsheets differ in what they make of line ends.
    """
    leaf = factory.leaf()
    cell = {
        "pem": leaf.pem,
        "escaped": leaf.pem.replace("\n", "\\n"),
        "base64 of PEM": base64.b64encode(leaf.pem.encode()).decode(),
        "base64 of DER": base64.b64encode(leaf.der).decode(),
    }[spelling]

    assert (
        leaf.pem.split() == read([_manifest(tmp_path / "reel.csv", ("d", "BID", cell))])[0].certificate.decode().split()
    )


def test_a_manifest_saved_by_a_spreadsheet_is_read(tmp_path: Path, factory: Factory) -> None:
    """
    With a byte order mark, semicolons, capitals, and columns of its own.
    """
    path = tmp_path / "reel.csv"
    path.write_text(f'\ufeffNote;Certificate;Device_ID\nfine;"{factory.leaf().pem}";d1\n', encoding="utf-8")

    assert ["d1"] == [entry.ref for entry in read([path])]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no column device_id and no column certificate."),
        ("MAC,cn,cert\n1,2,3\n", "has no column device_id and no column certificate."),
        ("device_id,group_id\nd,b\n", "has no column certificate."),
        ("device_id,group_id,certificate\n", "holds no device: there is no row after the header."),
        ("device_id,group_id,certificate\nd,b\n", ": row 2 has 2 cells; the header has 3."),
        ("device_id,group_id,certificate\nd,b,\n", ": row 2 has no certificate."),
        ("device_id,group_id,certificate\n\n,b,c\n", ": row 3 has no device_id."),
        ("device_id,group_id,certificate\nd,b,none\n", ": row 2 (d) holds no certificate: Cannot decode certificate"),
        ('device_id,group_id,certificate\nd,b,"cut', ": row 2 is not CSV: unexpected end of data."),
        ("device_id,group_id,certificate\nd,b,\0\n", ": row 2"),
    ],
    ids=["empty", "other columns", "one column", "no rows", "cells", "no certificate", "no id", "bad", "cut", "NUL"],
)
def test_an_unusable_manifest_is_refused_by_row(tmp_path: Path, text: str, sentence: str) -> None:
    """
    One sentence, with the row's number.
    """
    path = tmp_path / "reel.csv"
    path.write_text(text, encoding="utf-8")

    assert f"{path}{'' if sentence[0] == ':' else ' '}{sentence}" in _refusal(path)


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """
    Rather than pushed with broken refs.
    """
    path = tmp_path / "reel.csv"
    path.write_bytes("device_id,group_id,certificate\nGerät,b,c\n".encode("latin-1"))

    assert f"{path}: row 2 is not UTF-8. Save it as UTF-8 CSV." == _refusal(path)
