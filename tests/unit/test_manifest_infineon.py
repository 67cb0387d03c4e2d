"""
The Infineon bundle: a 7z archive of 7z archives.
"""

import os
from pathlib import Path

import py7zr
import pytest

from firstlight import certificates
from firstlight.errors import UsageError
from firstlight.manifests import Options, infineon, read, spool
from firstlight.manifests.attributes import Wanted
from firstlight.manifests.spool import Limits
from tests.factory import Factory
from tests.manifests import DATA, archive, bundle


def test_each_object_of_each_chip_is_a_record_called_by_the_chip(tmp_path: Path, factory: Factory) -> None:
    """
    Which object it was stands in the source, and may become an attribute.
    """
    pem = factory.leaf().pem.encode()
    path = bundle(tmp_path / "reel.7z", {"E0E0": {"0A09": pem, "0A0A": pem}, "E0E2": {"0A09": pem}})

    found = list(read([path], Options(attributes=(Wanted.parse("slot=object"), Wanted.parse("reel")))))

    assert ["0A09", "0A0A", "0A09"] == [r.ref for r in found]
    assert ["reel.7z 0A09_E0E0.pem", "reel.7z 0A0A_E0E0.pem", "reel.7z 0A09_E0E2.pem"] == [r.source for r in found]
    assert (("slot", "E0E2"), ("reel", "REEL_guid")) == found[2].attributes
    assert {pem} == {r.certificate for r in found}


def test_objects_are_chosen_and_keys_left_alone_and_both_are_said(tmp_path: Path) -> None:
    """
    E0E1, for one, is usable under a shielded connection only.
    """
    notes: list[str] = []
    path = bundle(tmp_path / "reel.7z", {"E0E0": {"A": b"x"}, "E0E1": {"A": b"y"}}, REEL_guid_keys__7z=b"secret")

    found = list(read([path], Options(objects=("e0e0",), note=notes.append)))

    assert [b"x"] == [r.certificate for r in found]
    assert [
        "REEL_guid_E0E1_Certs.7z holds other objects than E0E0; it is left alone.",
        "REEL_guid_keys.7z holds encrypted keys, which no cloud needs; it is left alone.",
    ] == notes


def test_t1_an_inner_archive_beyond_a_mebibyte_is_not_cut_short(tmp_path: Path) -> None:
    """
    More than 3,600 certificates ended in `Bad7zFile`: the archive was read to 1,048,518 bytes.
    """
    files = {f"{i:020X}": os.urandom(20_000) for i in range(100)}
    path = bundle(tmp_path / "reel.7z", {"E0E0": files})

    assert files == {r.ref: r.certificate for r in read([path])}


def test_a_broken_inner_archive_is_an_error_and_the_others_go_on(tmp_path: Path) -> None:
    """
    As is an encrypted one.
    """
    good = archive({"A_E0E0.pem": b"x"})
    broken = bytearray(archive({"B_E0E1.pem": b"y" * 100}))
    broken[40] ^= 1
    members = {
        "R_E0E0_Certs.7z": good,
        "R_E0E1_Certs.7z": bytes(broken),
        "R_E0E2_Certs.7z": archive({"C_E0E2.pem": b"z"}, password="transport key"),
    }
    path = tmp_path / "reel.7z"
    path.write_bytes(archive(members))

    found = list(read([path]))

    assert [
        None,
        "it is broken (CrcError), and 1 of its 1 files could not be had.",
        "it is encrypted, and 1 of its 1 files could not be had.",
    ] == [r.error and r.error.message.rpartition(": ")[2] for r in found]


def test_an_archive_bomb_is_an_error_that_says_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What was unpacked whole before the limit is imported; nothing is cut short in silence.
    """
    monkeypatch.setattr(infineon, "_INNER", Limits(members=3, member=100, total=250))
    path = bundle(
        tmp_path / "reel.7z",
        {
            "E0E0": {"A": b"x" * 101, "B": b"y"},
            "E0E1": dict.fromkeys("ABC", b"x" * 90),
            "E0E2": dict.fromkeys("ABCD", b"x"),
        },
    )

    found = [(r.source, r.error.message.partition(".7z: ")[2] if r.error else "") for r in read([path])]

    assert [
        ("reel.7z A_E0E0.pem", "A_E0E0.pem is larger than 100 bytes."),
        ("reel.7z B_E0E0.pem", ""),
        ("reel.7z A_E0E1.pem", ""),
        ("reel.7z B_E0E1.pem", ""),
        (
            "reel.7z",
            (
                "REEL_guid_E0E1_Certs.7z cannot be unpacked: unpacked it is larger than 250 bytes, "
                "and 1 of its 3 files could not be had."
            ),
        ),
        ("reel.7z A_E0E2.pem", ""),
        ("reel.7z B_E0E2.pem", ""),
        ("reel.7z C_E0E2.pem", ""),
        (
            "reel.7z",
            (
                "REEL_guid_E0E2_Certs.7z cannot be unpacked: it holds more than 3 files, "
                "and 1 of its 4 files could not be had."
            ),
        ),
    ] == found


@pytest.mark.parametrize("method", ["lzma", "lzma2", "ppmd"])
def test_an_archive_that_would_take_much_memory_is_an_error_that_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """
    A dictionary costs what it is said to be, or what it unpacks if that is less; all folders' at once.
    """
    filters: dict[str, dict[str, int]] = {
        "lzma": {"id": py7zr.FILTER_LZMA, "dict_size": 2**16},
        "lzma2": {"id": py7zr.FILTER_LZMA2, "dict_size": 3 * 2**15},
        "ppmd": {"id": py7zr.FILTER_PPMD, "order": 6, "mem": 16},
    }
    needed = {"lzma": 2**16, "lzma2": 3 * 2**15, "ppmd": 2**16}[method]
    inner = archive({"A_E0E0.pem": b"x" * 60_000, "B_E0E0.pem": b"y" * 60_000}, filters=[filters[method]])
    path = tmp_path / "reel.7z"
    path.write_bytes(archive({"R_E0E0_Certs.7z": inner}))

    monkeypatch.setattr(spool, "MAX_MEMORY", needed)
    assert [None, None] == [r.error for r in read([path])]

    monkeypatch.setattr(spool, "MAX_MEMORY", needed - 1)
    (found,) = read([path])
    assert found.error is not None
    assert found.error.message.endswith(
        f"R_E0E0_Certs.7z cannot be unpacked: its dictionaries need {needed} bytes of memory, more than {needed - 1}, "
        "and 2 of its 2 files could not be had."
    )


def test_an_empty_file_in_a_bundle_is_still_a_device(tmp_path: Path) -> None:
    """
    Nothing can be read of it, and that is said of it.
    """
    path = bundle(tmp_path / "reel.7z", {"E0E0": {"A": b"", "B": b"x"}})

    assert {"A": b"", "B": b"x"} == {r.ref: r.certificate for r in read([path])}


def test_a_bundle_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    """
    In one sentence.
    """
    path = tmp_path / "reel.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(50))

    with pytest.raises(UsageError, match="cannot be unpacked: it is broken"):
        list(read([path]))


def test_the_real_bundle_is_read_whole() -> None:
    """
    600 certificates, 200 of each object, where the sample is at hand.
    """
    path = DATA / "infineon" / "manifest-infineon-nokeys.7z"
    if path.exists():
        found = list(read([path]))
        assert 200 == len({r.ref for r in found})
        assert 600 == len({certificates.load(r.certificate).fingerprint for r in found})


def test_what_is_passed_over_in_a_bundle_counts_as_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is unpacked on the way to what stands behind it: a README of a terabyte is a bomb, too.
    """
    monkeypatch.setattr(infineon, "_BUNDLE", Limits(members=3, member=1000, total=1000))
    path = bundle(tmp_path / "reel.7z", {"E0E0": {"A": b"x"}}, README__md=b"x" * 1001)

    with pytest.raises(UsageError, match="unpacked it is larger than 1000 bytes"):
        list(read([path]))


def test_a_file_of_a_name_that_came_before_keeps_a_place_of_its_own(tmp_path: Path) -> None:
    """
    Else the report would have one row for both.
    """
    members = {f"{reel}_E0E0_Certs.7z": archive({"A_E0E0.pem": reel.encode(), "B\n_E0E0.pem": b"b"}) for reel in "RS"}
    path = tmp_path / "reel.7z"
    path.write_bytes(archive(members))

    found = list(read([path]))

    assert [("A", b"R"), ("B", b"b"), ("A", b"S"), ("B", b"b")] == [(r.ref, r.certificate) for r in found]
    assert 4 == len({r.source for r in found})
    assert f"reel.7z A_E0E0.pem ({path}, 2)" == found[2].source


def test_a_full_disk_is_not_the_archives_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And the remedy is said.
    """
    path = bundle(tmp_path / "reel.7z", {"E0E0": {"A": b"x"}})

    with Path("/dev/full").open("w+b", buffering=0) as full:
        monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda: full)
        with pytest.raises(UsageError, match="Scratch files cannot be written to "):
            list(read([path]))


def test_a_bundle_that_is_broken_behind_its_first_archive_says_what_it_cost(tmp_path: Path) -> None:
    """
    What was whole is imported; the rest has a row.
    """
    second = archive({"B_E0E1.pem": b"y"})
    whole = archive({"R_E0E0_Certs.7z": archive({"A_E0E0.pem": b"x"}), "R_E0E1_Certs.7z": second})
    path = tmp_path / "reel.7z"
    path.write_bytes(whole.replace(second, second[:-1] + bytes([second[-1] ^ 1])))

    found = [(r.ref, str(r.error or "")) for r in read([path])]

    assert [
        ("A", ""),
        ("", f"{path} cannot be unpacked whole: it is broken (CrcError), and 1 of its 2 files could not be had."),
    ] == found
