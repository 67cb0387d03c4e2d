"""
The import itself: slices, retries, the end.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from firstlight.certificates import Certificate
from firstlight.cli import import_place
from firstlight.errors import (
    FirstlightError,
    ManifestError,
    NameTakenError,
    QueuedError,
    RegionsError,
    ThrottledError,
    UsageError,
)
from firstlight.identity import NamingRule
from firstlight.importing import destination, push_landing
from firstlight.importing import run as running
from firstlight.importing.destination import Place
from firstlight.importing.estimate import Estimate, in_words
from firstlight.importing.landing import Landed, Pace, RegistryLanding
from firstlight.importing.push_landing import PushLanding
from firstlight.importing.report import Report
from firstlight.importing.run import Tally, run
from firstlight.ingest.clouds import Cloud
from firstlight.manifests import Record
from firstlight.provision import Admission
from firstlight.push import Answer, Entry, Status, Transport, basic
from firstlight.regions import AwsRegion
from firstlight.registries.memory import MemoryRegistry
from tests.factory import Factory, at_noon
from tests.manifests import reel


class _Landing:
    """
    Answers as told: *answers* of a ref are used up one by one, then it is a success.
    """

    pace = Pace()

    def __init__(self, **answers: list[Landed]) -> None:
        self.answers = answers
        self.seen: Counter[str] = Counter()
        self.most = 0
        self.before: Callable[[], None] = lambda: None
        self._flying = 0

    async def land(self, records: Sequence[Record]) -> list[Landed]:
        self._flying += len(records)
        self.most = max(self.most, self._flying)
        self.before()
        await asyncio.sleep(0)
        self._flying -= len(records)
        self.seen.update(r.ref for r in records)
        return [self.answers[r.ref].pop(0) if self.answers.get(r.ref) else Landed(f"n-{r.ref}") for r in records]


_THROTTLED = Landed("n", ThrottledError("still throttled."), again=True)


@pytest.fixture(scope="module")
def certificates(factory: Factory) -> list[Certificate]:
    return reel(factory, 1000)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_LONGEST_PAUSE", 0.001)


def _records(certificates: Sequence[Certificate]) -> list[Record]:
    return [Record(f"d{i}", c.der, f"reel.csv row {i}") for i, c in enumerate(certificates)]


def _run(
    records: Sequence[Record], landing: _Landing | RegistryLanding, path: Path, *, stop: asyncio.Event | None = None
) -> Tally:
    async def go() -> Tally:
        with Report(path, to="memory") as report:
            return await run(iter(records), landing, report, heard=lambda _: None, stop=stop or asyncio.Event())

    return asyncio.run(go())


def _statuses(path: Path) -> Counter[str]:
    return Counter(line.split(",")[3] for line in path.read_text().splitlines()[1:])


def test_every_record_ends_in_a_row_and_few_are_in_flight(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    Whatever the manifest's size.
    """
    landing = _Landing()

    tally = _run(_records(certificates), landing, tmp_path / "r.csv")

    assert (1000, 0, 0) == (tally.done, tally.before, tally.failed)
    assert {"SUCCESS": 1000} == _statuses(tmp_path / "r.csv")
    assert landing.most <= 300


def test_the_second_run_does_only_what_is_not_done(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    What failed for good is tried once more, what is done is not.
    """
    taken = Landed("n", NameTakenError.of("n"))
    _run(_records(certificates[:250]), _Landing(d7=[taken]), tmp_path / "r.csv")
    landing = _Landing()

    tally = _run(_records(certificates[:260]), landing, tmp_path / "r.csv")

    assert (11, 249, 0) == (tally.done, tally.before, tally.failed)
    assert {"d7", *(f"d{i}" for i in range(250, 260))} == set(landing.seen)
    assert {"SUCCESS": 260} == _statuses(tmp_path / "r.csv")


def test_what_the_cloud_could_not_finish_is_tried_again(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    Four times in a run; then it is an ERROR with the last reason.
    """
    landing = _Landing(d1=[_THROTTLED] * 2, d2=[_THROTTLED] * 9)

    tally = _run(_records(certificates[:5]), landing, tmp_path / "r.csv")

    assert (4, 1) == (tally.done, tally.failed)
    assert {"d0": 1, "d1": 3, "d2": 4, "d3": 1, "d4": 1} == landing.seen
    assert [("d2", "still throttled.")] == [(row.ref, row.message) for row in tally.examples]


def test_a_record_that_is_an_error_is_a_row_and_asks_no_cloud(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    Neither a malformed row nor something that is no certificate.
    """
    records = [
        Record("bad", source="reel.csv row 2", error=ManifestError("reel.csv: row 2 has 1 cells.")),
        Record("none", b"no certificate", "reel.csv row 3"),
        *_records(certificates[:1]),
    ]
    landing = _Landing()

    tally = _run(records, landing, tmp_path / "r.csv")

    assert (1, 2) == (tally.done, tally.failed)
    assert {"d0"} == set(landing.seen)
    assert ["reel.csv: row 2 has 1 cells.", "Cannot decode certificate: it is neither PEM nor DER."] == [
        row.message for row in tally.examples
    ]


def test_stopped_it_finishes_what_is_in_flight_and_says_so(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    What was reached has its row, what would have been tried again too, and the rest is for the next run.
    """
    stop = asyncio.Event()
    landing = _Landing(d1=[_THROTTLED] * 9)
    landing.before = stop.set

    tally = _run(_records(certificates), landing, tmp_path / "r.csv", stop=stop)

    assert 0 < tally.finished <= 300
    assert tally.finished == _statuses(tmp_path / "r.csv").total()
    assert 1 == tally.failed

    tally = _run(_records(certificates), _Landing(), tmp_path / "r.csv")
    assert {"SUCCESS": 1000} == _statuses(tmp_path / "r.csv")


def test_a_manifest_that_ends_in_an_error_ends_the_import(tmp_path: Path, certificates: list[Certificate]) -> None:
    """
    In its sentence; what was done is in the report.
    """

    def records() -> "list[Record]":
        raise UsageError("gone")

    def broken() -> object:
        yield from _records(certificates[:150])
        records()

    with pytest.raises(UsageError, match="gone"):
        _run(broken(), _Landing(), tmp_path / "r.csv")  # type: ignore[arg-type]

    assert 100 <= _statuses(tmp_path / "r.csv").total()


def test_a_registry_is_asked_as_a_push_asks_it(tmp_path: Path, factory: Factory) -> None:
    """
    Naming, admission and attributes are those of every other way in.
    """
    registry = MemoryRegistry()
    leaf, ca = factory.leaf(serial=0x15FC8EA1), factory.ca
    landing = RegistryLanding(registry, Admission(rule=NamingRule(prefix="Infineon_")), now=at_noon)

    tally = _run([Record("a", leaf.pem.encode(), "x 1"), Record("b", ca.der, "x 2")], landing, tmp_path / "r.csv")

    assert {"Infineon_15fc8ea1"} == set(registry.devices)
    assert (1, 1) == (tally.done, tally.failed)
    assert "is a CA certificate" in tally.examples[0].message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("aws:eu-west-1", Place(Cloud.AWS, "eu-west-1")),
        ("azure:westeurope", Place(Cloud.AZURE, "westeurope")),
        ("https://api.example.com/v1", Place(None, "https://api.example.com/v1")),
        ("memory", Place(Cloud.MEMORY)),
    ],
)
def test_a_destination_is_named_in_one_word(text: str, place: Place) -> None:
    """
    A cloud and its region, a URL, or memory.
    """
    assert place == Place.parse(text)


@pytest.mark.parametrize("text", ["", "aws", "aws:", "gcp:europe", "eu-west-1", "memory:x"])
def test_what_is_no_destination_is_said(text: str) -> None:
    """
    With what would be.
    """
    with pytest.raises(UsageError, match="Write aws:REGION, azure:REGION"):
        Place.parse(text)


def test_time_left_follows_the_last_seconds() -> None:
    """
    A fast beginning is forgotten, and a stand-still makes it longer.
    """
    estimate = Estimate(0)
    assert None is estimate.seconds_left(0, 100)
    estimate.saw(10, 1000)
    assert 100 / 100 == estimate.seconds_left(10, 100)
    for second in range(20, 61, 10):
        estimate.saw(second, 1000 + second)

    assert 1 == estimate.rate(60)
    assert 0.5 == estimate.rate(90)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "time left unknown yet"), (8.4, "8 s left"), (134, "2 min 14 s left"), (7300, "2 h 1 min left")],
)
def test_time_left_is_said_as_people_say_it(seconds: float | None, words: str) -> None:
    """
    Without false precision.
    """
    assert words == in_words(seconds)


def test_whose_issuers_a_region_trusts_it_trusts_here_too(tmp_path: Path, factory: Factory) -> None:
    """
    T12: an import looked at no issuer and no date.
    """
    (tmp_path / "ca.pem").write_text(factory.ca.pem)
    trusted = destination.trusted(AwsRegion(name="eu-west-1", trusted_issuers=(tmp_path / "ca.pem",)))
    landing = RegistryLanding(MemoryRegistry(), Admission(rule=NamingRule(), trusted=trusted), now=at_noon)
    stranger, ours, old = Factory("Stranger").leaf(), factory.leaf(), factory.odd(days=(-9, -1))
    records = [Record("s", stranger.der, "x 1"), Record("o", ours.der, "x 2"), Record("e", old, "x 3")]

    tally = _run(records, landing, tmp_path / "r.csv")

    assert (1, 2) == (tally.done, tally.failed)
    assert ["issuer is not trusted here", "notBefore or notAfter is out of range"] == [
        row.message.partition("Certificate ")[2][:length].rstrip(".:")
        for row, length in zip(tally.examples, (26, 38), strict=True)
    ]


def test_an_ingest_api_is_sent_no_attributes(tmp_path: Path, factory: Factory) -> None:
    """
    And none is dropped in silence.
    """
    landing = PushLanding("http://127.0.0.1:9/interop", basic("me", "pw"), Transport())
    record = Record("d", factory.leaf().der, "x 1", (("site", "Pune"),))

    (landed,) = asyncio.run(landing.land([record]))

    assert "takes no attributes" in str(landed.error)


@pytest.mark.parametrize(
    ("answer", "landed"),
    [
        (Answer("d", "x 1", Status.SUCCESS), (None, False)),
        (Answer("d", "x 1", Status.ERROR, message="queued: provisioning continues."), (QueuedError, False)),
        (Answer("d", "x 1", Status.ERROR, message="still throttled.", again=True), (ManifestError, True)),
        (Answer("d", "x 1", Status.ERROR, message="no.", again=False), (ManifestError, False)),
    ],
    ids=["done", "queued", "again", "refused"],
)
def test_what_an_ingest_api_answers_is_what_the_report_says(
    monkeypatch: pytest.MonkeyPatch,
    factory: Factory,
    answer: Answer,
    landed: tuple[type[FirstlightError] | None, bool],
) -> None:
    """
    QUEUED is carried on there, and is not asked for again at once.
    """

    async def push(entries: Sequence[Entry], **how: Any) -> list[Answer]:
        del how
        return [answer for _ in entries]

    monkeypatch.setattr(push_landing, "push", push)
    landing = PushLanding("http://127.0.0.1:9/interop", basic("me", "pw"), Transport())

    (found,) = asyncio.run(landing.land([Record("d", factory.leaf().der, "x 1")]))

    assert landed == (type(found.error) if found.error else None, found.again)


def test_a_regions_file_that_is_wrong_is_not_passed_over(tmp_path: Path) -> None:
    """
    Devices under other names than the region's would be the result.
    """
    path = tmp_path / "regions.toml"
    path.write_text('[aws.eu-west-1]\nnamign = "serial"\n')

    with pytest.raises(RegionsError, match="unknown key 'namign'"):
        import_place.target("azure:westeurope", regions_file=path, hub="", subscription="")


def test_a_private_key_does_not_get_into_the_report(tmp_path: Path) -> None:
    """
    A column of keys named by mistake, or a key before its certificate: the report goes where certificates may.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    coded = [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        b"some bytes",
    ]

    tally = _run([Record(f"d{i}", c, f"row {i}") for i, c in enumerate(coded)], _Landing(), tmp_path / "r.csv")

    kept = [line.rpartition(",")[2] for line in (tmp_path / "r.csv").read_text().splitlines()[1:]]
    assert 5 == tally.failed
    assert ["", "", "", "", base64.b64encode(b"some bytes").decode()] == kept
