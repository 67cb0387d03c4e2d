"""
Certificate files: one, a bundle, a folder; and base64 lines.
"""

import base64
import tracemalloc
from pathlib import Path

import pytest

from firstlight import certificates, pki
from firstlight.errors import UsageError
from firstlight.manifests import FORMATS, read
from tests.factory import Factory


def _fingerprints(path: Path) -> list[str]:
    return [certificates.load(r.certificate).fingerprint for r in read([path])]


def test_many_certificates_in_one_file_are_many_devices(tmp_path: Path, factory: Factory) -> None:
    """
    In the file's order, each with a ref of its own.
    """
    leaves = [factory.leaf() for _ in range(3)]
    path = tmp_path / "reel.pem"
    path.write_text("".join(leaf.pem for leaf in leaves))

    assert [leaf.fingerprint for leaf in leaves] == _fingerprints(path)
    assert [f"reel-{n}" for n in (1, 2, 3)] == [r.ref for r in read([path])]
    assert [f"reel.pem certificate {n}" for n in (1, 2, 3)] == [r.source for r in read([path])]


def test_a20_a_leaf_and_its_ca_are_one_device_with_its_chain(tmp_path: Path, factory: Factory) -> None:
    """
    A certificate that signed the one before it belongs to it: decided by the signature, not by what it says.
    """
    first, second, namesake = factory.leaf(), factory.leaf(), Factory()
    path = tmp_path / "reel.pem"
    path.write_text(first.pem + factory.ca.pem + second.pem + factory.ca.pem + namesake.ca.pem)

    found = list(read([path]))

    assert [first.fingerprint, second.fingerprint, namesake.ca.fingerprint] == _fingerprints(path)
    assert first.pem + factory.ca.pem == found[0].certificate.decode()
    assert ["reel.pem certificate 1", "reel.pem certificate 3", "reel.pem certificate 5"] == [r.source for r in found]


def test_what_is_no_certificate_in_a_bundle_is_passed_over(tmp_path: Path, factory: Factory) -> None:
    """
    Keys and comments lie between them; a block that is cut is still a device, and nobody can read it.
    """
    leaf = factory.leaf()
    pki.write_key(tmp_path / "k.key", factory.key)
    path = tmp_path / "reel.pem"
    path.write_text(f"# reel 7\n{(tmp_path / 'k.key').read_text()}{leaf.pem[:90]}\n{leaf.pem}")

    found = list(read([path]))

    assert 2 == len(found)
    assert leaf.fingerprint == certificates.load(found[1].certificate).fingerprint
    with pytest.raises(Exception, match="Cannot decode certificate"):
        certificates.load(found[0].certificate)


def test_a_folder_is_its_certificate_files(tmp_path: Path, factory: Factory) -> None:
    """
    PEM and DER in order of name; files of keys only are none.
    """
    first, second = factory.leaf(), factory.leaf()
    (tmp_path / "b.der").write_bytes(second.der)
    (tmp_path / "a.pem").write_text(first.pem)
    pki.write_key(tmp_path / "a-key.pem", factory.key)

    assert [first.fingerprint, second.fingerprint] == _fingerprints(tmp_path)
    assert ["a", "b"] == [r.ref for r in read([tmp_path])]


def test_base64_lines_are_a_device_each(tmp_path: Path, factory: Factory) -> None:
    """
    Of DER or of PEM; a line that is neither is an error of its own.
    """
    first, second = factory.leaf(), factory.leaf()
    path = tmp_path / "vendor.txt"
    lines = [base64.b64encode(first.der), b"", base64.b64encode(second.pem.encode()), b"b'none'"]
    path.write_bytes(b"\n".join(lines))

    found = list(read([path]))

    assert [first.fingerprint, second.fingerprint] == [certificates.load(r.certificate).fingerprint for r in found[:2]]
    assert ["vendor-1", "vendor-3", "vendor-4"] == [r.ref for r in found]
    assert f"{path}: line 4 is not base64." == str(found[2].error)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"a,b,c\n1,2,3\n", b"\x7fELF" + bytes(100), b"{}"])
def test_a_file_of_no_known_format_ends_in_one_sentence_that_lists_them(tmp_path: Path, content: bytes) -> None:
    """
    Rather than in a guess.
    """
    path = tmp_path / "odd.bin"
    path.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        next(read([path]))

    assert str(caught.value).startswith(
        f"{path} is a manifest of no format that is known here. Name one with --format: "
    )
    assert all(known.name in str(caught.value) for known in FORMATS)


def test_a_format_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """
    With those that do.
    """
    path = tmp_path / "x"
    path.write_text("x")

    with pytest.raises(UsageError, match=r"'xml' is no format of manifests. Name one with --format: report"):
        next(read([path], name="xml"))


def test_a_file_that_holds_no_device_is_said(tmp_path: Path) -> None:
    """
    An import of nothing is not what was asked for.
    """
    path = tmp_path / "reel.csv"
    path.write_text("device_id,group_id,certificate\n")

    with pytest.raises(UsageError, match=r"holds no device. It was read as Cloud ID CSV"):
        list(read([path]))


def test_a_file_of_a_folder_that_holds_no_certificate_is_an_error(tmp_path: Path, factory: Factory) -> None:
    """
    It is somebody's device, cut to nothing on its way; a key beside its certificate is not.
    """
    (tmp_path / "a.pem").write_text(factory.leaf().pem)
    (tmp_path / "a-key.pem").write_text("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
    (tmp_path / "b.pem").write_text("")
    (tmp_path / "c.der").write_bytes(b"\x00\x01")

    found = [(r.ref, r.source, r.error and r.error.message.removeprefix(f"{tmp_path}/")) for r in read([tmp_path])]

    assert [
        ("a", "a.pem", None),
        ("b", "b.pem", "b.pem holds no certificate."),
        ("c", "c.der", "c.der holds no certificate."),
    ] == found


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path, factory: Factory) -> None:
    """
    By their place, which is what a report knows a device by; the same every time.
    """
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "device.pem").write_text(factory.leaf().pem)
    again = tmp_path / "b" / "device.pem"

    for paths in ([tmp_path / "a", tmp_path / "b"], [tmp_path / "a" / "device.pem", again]):
        found = [(r.ref, r.source) for r in read(paths)]
        assert [("device", "device.pem"), ("device", f"device.pem ({paths[1]}, 2)")] == found
    assert ["device.pem", f"device.pem ({again}, 2)", f"device.pem ({again}, 3)"] == [
        r.source for r in read([again] * 3)
    ]


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    """
    It is read piece by piece, and is nobody's certificate.
    """
    (tmp_path / "a.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 2**23)

    tracemalloc.start()
    try:
        (record,) = read([tmp_path / "a.pem"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(record.certificate) < 2**20
    assert peak < 2**21
