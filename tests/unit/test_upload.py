"""
A manifest that was uploaded: read, queued, reported.
"""

import asyncio
import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from firstlight.certificates import Certificate
from firstlight.errors import FirstlightError, ManifestError, SettingsError, ThrottledError
from firstlight.identity import DeviceIdentity, Naming, NamingRule
from firstlight.importing import run as running
from firstlight.importing.landing import Pace, QueueLanding, Refusal
from firstlight.importing.objects import Object
from firstlight.importing.run import Tally
from firstlight.importing.s3 import S3
from firstlight.importing.upload import Uploads, options_from
from firstlight.manifests import Options, read
from firstlight.manifests.attributes import Wanted
from firstlight.overflow import Waiting
from firstlight.provision import Admission
from firstlight.registries import aws_name, azure_identity
from firstlight.registries.aws_credentials import Keys
from firstlight.registries.sigv4 import Signer
from firstlight.settings import Settings
from tests.factory import Factory, at_noon
from tests.faults import virtual_time
from tests.manifests import cloud_id, reel, write_csv

_TO = "aws:eu-west-1:123456789012"
_KEYS = Keys("AKID", "secret")


class _Bucket(S3):
    """
    Objects in a dictionary.
    """

    def __init__(self, **objects: bytes) -> None:
        super().__init__(region="eu-west-1", credentials=lambda: _KEYS)
        self.objects = {name.replace("__", "/"): data for name, data in objects.items()}

    async def download(self, of: Object, path: Path, *, limit: int) -> None:
        if of.key not in self.objects:
            raise ManifestError(f"{of.key} is not in the bucket any more.")
        path.write_bytes(self.objects[of.key])  # noqa: ASYNC240 -- a test

    async def upload(self, of: Object, path: Path) -> None:
        self.objects[of.key] = path.read_bytes()  # noqa: ASYNC240 -- a test


class _Queue:
    """
    Takes devices, but for those of *refuses*, as often as it says.
    """

    def __init__(self, **refuses: int) -> None:
        self.refuses = refuses
        self.waiting: list[Waiting] = []

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        del deadline
        return [self._put(one) for one in waiting]

    def _put(self, one: Waiting) -> FirstlightError | None:
        if self.refuses.get(one.ref, 0) > 0:
            self.refuses[one.ref] -= 1
            return ThrottledError("still throttled.")
        self.waiting.append(one)
        return None


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_LONGEST_PAUSE", 0.001)


@pytest.fixture(scope="module")
def devices(factory: Factory) -> list[Certificate]:
    return reel(factory, 250)


def _anybody(who: DeviceIdentity) -> FirstlightError | None:
    del who
    return None


def _take(
    bucket: _Bucket,
    queue: _Queue,
    key: str,
    *,
    options: Options | None = None,
    refusal: Refusal = _anybody,
    rule: NamingRule = NamingRule(prefix="Infineon_"),  # noqa: B008 -- it is frozen
    seconds: float = 60,
) -> Tally:
    uploads = Uploads(
        objects=bucket,
        queue=queue,
        admission=Admission(rule=rule),
        refusal=refusal,
        options=options or Options(),
        now=at_noon,
    )

    async def go() -> Tally:
        deadline = asyncio.get_running_loop().time() + seconds
        return await uploads.take(Object("uploads", key), to=_TO, deadline=deadline)

    return asyncio.run(go())


def _rows(report: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(report.decode().splitlines()))


def test_each_device_is_queued_and_has_its_row(tmp_path: Path, devices: list[Certificate]) -> None:
    """
    With the name it will have; what cannot be let in is said at once and bothers no worker.
    """
    rows = [("d1", devices[0].pem), ("d2", "none"), ("d3", Factory().ca.pem)]
    manifest = write_csv(tmp_path / "reel.csv", ("device_id", "certificate"), rows)
    bucket, queue = _Bucket(manifests__a__reel=manifest.read_bytes()), _Queue(d1=2)

    tally = _take(bucket, queue, "manifests/a/reel")

    found = _rows(bucket.objects["reports/a/reel.csv"])
    assert [("d1", devices[0].fingerprint)] == [(w.ref, w.fingerprint) for w in queue.waiting]
    assert (1, 2) == (tally.queued, tally.failed)
    assert {("d1", "QUEUED", "Infineon_10000000"), ("d2", "ERROR", ""), ("d3", "ERROR", "")} == {
        (r["ref"], r["status"], r["name"]) for r in found
    }
    assert {_TO} == {r["to"] for r in found}
    assert {"reel row 2", "reel row 3", "reel row 4"} == {r["source"] for r in found}


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (aws_name.refusal, ("'sensor 1' is no thing name.", "as the attribute line.")),
        (azure_identity.refusal, ("'sensor 1' is no device id.", "the tag 'line' is too long:")),
    ],
    ids=["AWS IoT", "IoT Hub"],
)
def test_whom_the_cloud_never_takes_is_said_at_once(tmp_path: Path, refusal: Refusal, why: tuple[str, str]) -> None:
    """
    A name or a value that is not legal there: no worker can mend it, so it is not QUEUED, and bothers none.
    """
    maker = Factory()
    good, named, valued = (maker.leaf(common_name=name) for name in ("sensor-1", "sensor 1", "sensor-2"))
    rows = [("d1", "L7", good.pem), ("d2", "L7", named.pem), ("d3", "7" * 5000, valued.pem)]
    manifest = write_csv(tmp_path / "reel.csv", ("device_id", "line", "certificate"), rows)
    bucket, queue = _Bucket(manifests__reel=manifest.read_bytes()), _Queue()
    options, rule = Options(attributes=(Wanted.parse("line"),)), NamingRule(Naming.COMMON_NAME)

    tally = _take(bucket, queue, "manifests/reel", options=options, refusal=refusal, rule=rule)

    assert ["d1"] == [w.ref for w in queue.waiting]
    assert (1, 2) == (tally.queued, tally.failed)
    said = {r["ref"]: r["message"] for r in _rows(bucket.objects["reports/reel.csv"]) if r["status"] == "ERROR"}
    assert why[0] in said["d2"]
    assert why[1] in said["d3"]


def test_its_report_can_be_imported(tmp_path: Path, devices: list[Certificate]) -> None:
    """
    Which makes sure of each device, or tells what is wrong with it.
    """
    bucket = _Bucket(manifests__reel=cloud_id(tmp_path / "m", devices[:3]).read_bytes())
    _take(bucket, _Queue(), "manifests/reel")
    (tmp_path / "report.csv").write_bytes(bucket.objects["reports/reel.csv"])

    assert [d.der for d in devices[:3]] == [r.certificate for r in read([tmp_path / "report.csv"])]


def test_what_there_was_no_time_for_is_in_the_report(tmp_path: Path, devices: list[Certificate]) -> None:
    """
    Nothing is lost with the invocation.
    """
    bucket = _Bucket(manifests__reel=cloud_id(tmp_path / "m", devices).read_bytes())

    tally = _take(bucket, _Queue(), "manifests/reel", seconds=-1)

    found = _rows(bucket.objects["reports/reel.csv"])
    assert 250 == tally.finished == len(found)
    late = [r for r in found if r["message"] == "Not queued: the manifest's time was over. Import this report."]
    assert 0 < len(late) == tally.failed


class _SlowQueue(_Queue):
    """
    Takes what it is given when the time is over, which is when it was given two slices.
    """

    over = 0.0
    slices = 0

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        loop, late = asyncio.get_running_loop(), asyncio.Event()
        loop.call_at(self.over, late.set)
        self.slices += 1
        if self.slices == 2:
            at = self.over
            vars(loop)["time"] = lambda: at + 1
        await late.wait()
        return await super().put(waiting, deadline=deadline)


def test_a_manifest_whose_time_is_over_in_the_middle_says_what_it_left(
    tmp_path: Path, devices: list[Certificate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What is in flight is queued; the rest is told, and begun no more.
    """
    monkeypatch.setattr(QueueLanding, "pace", Pace(slice=10, abreast=2))
    bucket, queue = _Bucket(manifests__reel=cloud_id(tmp_path / "m", devices).read_bytes()), _SlowQueue()

    async def go() -> Tally:
        uploads = Uploads(
            objects=bucket,
            queue=queue,
            admission=Admission(rule=NamingRule()),
            refusal=_anybody,
            options=Options(),
            now=at_noon,
        )
        deadline = asyncio.get_running_loop().time() + 3600
        queue.over = deadline + 1
        return await uploads.take(Object("uploads", "manifests/reel"), to=_TO, deadline=deadline)

    tally = virtual_time.run(go())

    assert (20, 230) == (tally.queued, tally.failed)
    assert 250 == len(_rows(bucket.objects["reports/reel.csv"]))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"hello", "is a manifest of no format that is known here."), (None, "is not in the bucket any more.")],
    ids=["no manifest", "gone"],
)
def test_a_manifest_that_cannot_be_read_has_a_report_too(content: bytes | None, sentence: str) -> None:
    """
    One row, which says why.
    """
    bucket = _Bucket(**({"manifests__x y.txt": content} if content is not None else {}))

    _take(bucket, _Queue(), "manifests/x y.txt")

    (row,) = _rows(bucket.objects["reports/x y.txt.csv"])
    assert ("ERROR", "manifests/x y.txt") == (row["status"], row["source"])
    assert sentence in row["message"]
    assert row["message"].startswith("manifests/x y.txt ")


def test_what_is_wrong_is_said_of_the_object_and_not_of_a_scratch_file(tmp_path: Path) -> None:
    """
    A folder that is gone with the function helps nobody.
    """
    bucket = _Bucket(
        manifests__a__reel=write_csv(tmp_path / "m", ("device_id", "certificate"), [("d1", "")]).read_bytes()
    )

    _take(bucket, _Queue(), "manifests/a/reel")

    (row,) = _rows(bucket.objects["reports/a/reel.csv"])
    assert "manifests/a/reel: row 2 has no certificate." == row["message"]


def test_signers_and_attributes_are_settings(tmp_path: Path, factory: Factory) -> None:
    """
    As the command's options.
    """
    file = tmp_path / "signers.pem"
    file.write_text(factory.ca.pem)

    found = options_from(Settings(manifest_signers_file=str(file), manifest_attributes="site,place=Line"))

    assert [factory.ca] == list(found.signers)
    assert [("site", "site"), ("place", "Line")] == [(w.name, w.field) for w in found.attributes]
    with pytest.raises(SettingsError, match="signers file cannot be used"):
        options_from(Settings(manifest_signers_file=str(tmp_path / "gone")))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=40))
def test_a_key_is_signed_as_aws_signs_it(name: str) -> None:
    """
    S3 alone wants the path encoded once; whatever stands in a key, it arrives as it is.
    """
    s3 = S3(region="eu-west-1", credentials=lambda: _KEYS)
    origin, host, path = s3._place(Object("uploads", f"manifests/{name}"))  # noqa: SLF001 -- what is sent
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {"host": host, "x-amz-content-sha256": digest}

    ours = Signer(region="eu-west-1", service="s3").sign(
        "GET", path, "", headers, b"", credentials=_KEYS, at=at.timestamp(), digest=digest
    )

    assert "https://uploads.s3.eu-west-1.amazonaws.com" == origin
    assert f"/manifests/{name}" == unquote(path)
    assert _botocores(origin + path, at) == ours["authorization"]


def _botocores(url: str, at: datetime) -> str:
    request = AWSRequest("GET", url)
    # Any: add_auth, taken apart to use our clock.
    auth: Any = S3SigV4Auth(BotoCredentials("AKID", "secret"), "s3", "eu-west-1")
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)  # noqa: SLF001 -- there is no public way to set the time
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)  # noqa: SLF001 -- as above
    return str(request.headers["Authorization"])
