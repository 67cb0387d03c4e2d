"""
The Microchip manifest: one signed entry per chip.
"""

import base64
import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight import certificates
from firstlight.certificates import Certificate
from firstlight.errors import UsageError
from firstlight.manifests import Options, Record, read
from firstlight.manifests.attributes import Wanted
from tests.factory import Factory, rsa_key
from tests.manifests import DATA, MicrochipSigner

_SIGNER = MicrochipSigner()


def _manifest(folder: Path, entries: Sequence[Any]) -> Path:
    path = folder / "chips.json"
    path.write_text(json.dumps(entries))
    return path


def _read(path: Path, *signers: MicrochipSigner) -> list[Record]:
    return list(read([path], Options(signers=tuple(s.certificate for s in signers or (_SIGNER,)))))


def _problems(path: Path, records: Sequence[Record]) -> list[str]:
    return [r.error.message.removeprefix(f"{path}: ") if r.error else "" for r in records]


def test_an_entry_is_a_device_with_its_chain_and_fields(tmp_path: Path, factory: Factory) -> None:
    """
    The leaf first; a slot without a certificate is none.
    """
    leaf = factory.leaf()
    path = _manifest(tmp_path, [_SIGNER.entry("0123f2", [leaf, factory.ca])])

    (found,) = read([path], Options(signers=(_SIGNER.certificate,), attributes=(Wanted.parse("part=partNumber"),)))

    assert ("0123f2", "chips.json entry 1 key 0", (("part", "ATECC608C"),)) == (
        found.ref,
        found.source,
        found.attributes,
    )
    assert [leaf, factory.ca] == certificates.load_all(found.certificate)


def test_several_slots_with_certificates_are_several_devices(tmp_path: Path, factory: Factory) -> None:
    """
    T9: all slots' chains were glued into one text.
    """
    entry = MicrochipSigner.entry(_SIGNER, "01", [factory.leaf()])
    keys = json.loads(_payload(entry))["publicKeySet"]["keys"]
    keys[1]["x5c"] = keys[0]["x5c"]
    path = _manifest(tmp_path, [_SIGNER.entry("01", [], publicKeySet={"keys": keys})])

    assert ["chips.json entry 1 key 0", "chips.json entry 1 key 1"] == [r.source for r in _read(path)]


def test_t9_what_cannot_be_believed_is_an_error_and_never_skipped(tmp_path: Path, factory: Factory) -> None:
    """
    Entries without a key, with a bad signature, of another signer were logged, and the import "succeeded".
    """
    leaf, good = factory.leaf(), _SIGNER.entry("01", [factory.leaf()])
    entries = [
        good,
        _SIGNER.entry("02", []),
        good | {"payload": _SIGNER.entry("03", [leaf])["payload"], "header": {"uniqueId": "03"}},
        MicrochipSigner("Log Signer 010").entry("04", [leaf]),
        {k: v for k, v in _SIGNER.entry("05", [leaf]).items() if k != "signature"},
        _SIGNER.entry("06", [leaf], uniqueId=None),
        _SIGNER.entry("07", [leaf], provisioningTimestamp="yesterday"),
        "08",
    ]
    path = _manifest(tmp_path, entries)

    found = _read(path)

    assert ["01", "02", "03", "04", "05", "06", "07", ""] == [r.ref for r in found]
    assert [
        "",
        "entry 2 has no key with a certificate.",
        "entry 3 has a signature that does not hold (by Log Signer 009).",
        "entry 4 is signed by",
        "entry 5 has no signature.",
        "entry 6 has another uniqueId in its header than in what was signed.",
        "entry 7 does not say when it was signed (provisioningTimestamp).",
        "entry 8 has no protected.",
    ] == [p.partition(" by ")[0] + " by" if "none of the signers" in p else p for p in _problems(path, found)]


def test_a_signature_counts_when_its_signer_was_valid_as_it_was_made(tmp_path: Path, factory: Factory) -> None:
    """
    T9: validity was not looked at.  Expired since is no fault; expired before, or not valid yet, is.
    """
    expired_since = MicrochipSigner("since", days=(-180, 1))
    expired_before = MicrochipSigner("before", days=(-180, -1))
    not_yet = MicrochipSigner("not yet", days=(1, 180))
    signers = (expired_since, expired_before, not_yet)
    path = _manifest(tmp_path, [s.entry(f"0{i}", [factory.leaf()]) for i, s in enumerate(signers)])

    problems = _problems(path, _read(path, *signers))

    assert "" == problems[0]
    assert (
        "entry 2 was signed at 2026-06-01T00:00:00Z, when before was not valid (2025-12-03 to 2026-05-31)."
        == problems[1]
    )
    assert "when not yet was not valid" in problems[2]


def test_a_signer_is_found_by_its_key_identifier_too(tmp_path: Path, factory: Factory) -> None:
    """
    Older manifests name no thumbprint.
    """
    path = _manifest(tmp_path, [_SIGNER.entry("01", [factory.leaf()], headers={"kid": _SIGNER.key_id})])

    assert [""] == _problems(path, _read(path))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384"])
def test_only_es256_is_believed(tmp_path: Path, factory: Factory, algorithm: str) -> None:
    """
    Whatever the entry's header says about itself.
    """
    entry = _SIGNER.entry("01", [factory.leaf()])
    header = json.dumps({"alg": algorithm, "kid": _SIGNER.key_id})
    path = _manifest(tmp_path, [entry | {"protected": _encoded(header)}])

    assert [f"entry 1 is signed with {algorithm}; ES256 is needed."] == _problems(path, _read(path))


def test_without_signers_nothing_is_read(tmp_path: Path, factory: Factory) -> None:
    """
    Whom to believe is the operator's to say; a key that signs otherwise is refused.
    """
    path = _manifest(tmp_path, [_SIGNER.entry("01", [factory.leaf()])])

    with pytest.raises(UsageError, match="--signer"):
        list(read([path]))
    with pytest.raises(UsageError, match="signs no ES256"):
        list(read([path], Options(signers=(_rsa(),))))


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory, factory: Factory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("ten")
    path = _manifest(folder, [_SIGNER.entry(f"{i:04}", [factory.leaf()]) for i in range(10)])
    return path.read_bytes(), folder / "flipped.json"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_flipped_bit_costs_one_entry_at_most(ten: tuple[bytes, Path], data: st.DataObject) -> None:
    """
    Wherever it is: in a signature, a certificate, a quote or a bracket.  And what it costs is said.
    """
    raw, path = ten
    at, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])

    found = _read(path)

    good = [r.ref for r in found if r.error is None]
    assert set(good) <= {f"{i:04}" for i in range(10)}
    assert len(good) >= 9
    assert len(good) == 10 or len(found) > len(good)


def test_a_manifest_that_was_cut_says_so(ten: tuple[bytes, Path]) -> None:
    """
    Even when it was cut between two entries.
    """
    raw, path = ten
    path.write_bytes(raw[: raw.rindex(b", {")])

    found = _read(path)

    assert ["", "entry 10 is not JSON, or cut off."] == _problems(path, found)[8:]


@pytest.mark.parametrize(
    "change", [bytes, lambda raw: raw.replace(b'"payload":"e', b'"payload":"f', 1)], ids=["whole", "flipped"]
)
def test_the_real_manifest_is_read_whole(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """
    Ten chips, or nine and an error, where the sample is at hand; their subjectAltName is no DER, and no obstacle.
    """
    source = DATA / "microchip" / "ECC608C-TNGTLSU-B.json"
    if source.exists():
        raw = source.read_bytes().replace(b'"payload": "', b'"payload":"')
        path = tmp_path / "chips.json"
        path.write_bytes(change(raw))
        signers = [certificates.load(p.read_bytes()) for p in (DATA / "microchip" / "mchp_verifiers").iterdir()]
        found = list(read([path], Options(signers=tuple(signers))))
        good = [certificates.load(r.certificate) for r in found if r.error is None]
        assert 10 == len(found)
        assert (10 if change is bytes else 9) == len(good)
        assert not any(c.is_ca for c in good)


def _payload(entry: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64decode(entry["payload"] + "===")


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _rsa() -> Certificate:
    return certificates.load(Factory().odd(key=rsa_key(2048)))


def test_no_bit_of_a_signed_part_is_without_meaning(tmp_path: Path, factory: Factory) -> None:
    """
    Bits that base64 leaves over, and letters that a lenient reader skips, would let a changed entry pass.
    """
    entry = _SIGNER.entry("01", [factory.leaf()])
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    *rest, last = entry["signature"]
    spare = letters[letters.index(last) ^ 1]
    changed = [
        entry | {"signature": "".join(rest) + spare},
        entry | {"signature": "".join(rest[:9]) + "!" + "".join(rest[9:]) + last},
        entry | {"payload": entry["payload"] + "="},
    ]
    path = _manifest(tmp_path, changed)

    assert [
        "entry 1 has a signature that is not base64url.",
        "entry 2 has a signature that is not base64url.",
        "entry 3 has a payload that is not base64url.",
    ] == _problems(path, _read(path))


def test_a_thumbprint_goes_before_a_key_identifier(tmp_path: Path, factory: Factory) -> None:
    """
    An entry that names another signer by it is that signer's.
    """
    headers = {"x5t#S256": "A" * 43, "kid": _SIGNER.key_id}
    path = _manifest(tmp_path, [_SIGNER.entry("01", [factory.leaf()], headers=headers)])

    assert [True] == ["is signed by AAA" in problem for problem in _problems(path, _read(path))]
