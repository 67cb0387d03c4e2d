"""
Manifests from a storage account and reports to it, piece by piece, in the right order, or one clear sentence.
"""

import asyncio
from pathlib import Path

import pytest

from firstlight.errors import ManifestError, RegistryError
from firstlight.importing.objects import Object
from firstlight.local.azure_cloud import blob_rest
from firstlight.local.azure_cloud.access import BLOB_DATA_CONTRIBUTOR, BLOB_DATA_READER
from firstlight.local.azure_cloud.rest import Call
from firstlight.local.azure_cloud.storage import StoredBlob
from tests.contract.conftest import InLaptopHub
from tests.contract.laptop_hub_world import LaptopHubWorld

_LIMIT = 2**30


@pytest.mark.parametrize("size", [0, 1, 2**20, 3 * 2**20 + 1])
def test_a_file_comes_back_as_it_went(in_laptop_hub: InLaptopHub, tmp_path: Path, size: int) -> None:
    """
    Whatever its size; a report says that it is CSV.
    """

    async def promise(world: LaptopHubWorld) -> None:
        blobs = world.blobs(BLOB_DATA_CONTRIBUTOR)
        (tmp_path / "there").write_bytes((b"0123456789abcde" * (size // 15 + 1))[:size])

        await blobs.upload(Object("", "manifests/line 7/reel ü.csv"), tmp_path / "there")
        await blobs.download(Object("", "manifests/line 7/reel ü.csv"), tmp_path / "back", limit=_LIMIT)

        assert (tmp_path / "there").read_bytes() == (tmp_path / "back").read_bytes()
        (blob,) = world.storage.containers["manifests"].values()
        assert "text/csv; charset=utf-8" == blob.content_type

    in_laptop_hub(promise)


def test_what_is_not_there_or_too_large_is_said(in_laptop_hub: InLaptopHub, tmp_path: Path) -> None:
    """
    Before much of it was fetched.
    """

    async def promise(world: LaptopHubWorld) -> None:
        blobs = world.blobs(BLOB_DATA_CONTRIBUTOR)
        (tmp_path / "there").write_bytes(b"x" * 100)
        await blobs.upload(Object("", "manifests/reel.csv"), tmp_path / "there")

        with pytest.raises(ManifestError, match=r"manifests/reel\.csv is larger than 99 bytes"):
            await blobs.download(Object("", "manifests/reel.csv"), tmp_path / "back", limit=99)
        with pytest.raises(ManifestError, match=r"manifests/other\.csv is not there any more"):
            await blobs.download(Object("", "manifests/other.csv"), tmp_path / "back", limit=99)

    in_laptop_hub(promise)


def test_a_file_that_is_replaced_while_it_is_read_is_said(
    in_laptop_hub: InLaptopHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Never is one half of it the old one and the other the new; the new one has an event of its own.
    """

    async def promise(world: LaptopHubWorld) -> None:
        manifests = world.storage.containers["manifests"]
        manifests["reel.csv"] = StoredBlob(b"a" * 2**21, "text/csv")
        there, begun = blob_rest._there, list[str]()  # noqa: SLF001 -- a replacement at a certain moment

        def replaced(blobs: dict[str, StoredBlob], call: Call) -> StoredBlob:
            if begun:
                manifests["reel.csv"] = StoredBlob(b"b" * 2**21, "text/csv")
            begun.append(call.path)
            return there(blobs, call)

        monkeypatch.setattr(blob_rest, "_there", replaced)
        with pytest.raises(RegistryError, match="ConditionNotMet"):
            await world.blobs(BLOB_DATA_READER).download(
                Object("", "manifests/reel.csv"), tmp_path / "back", limit=_LIMIT
            )

    in_laptop_hub(promise)


def test_the_role_that_is_missing_is_named(in_laptop_hub: InLaptopHub, tmp_path: Path) -> None:
    """
    Reading is one, writing another.
    """

    async def promise(world: LaptopHubWorld) -> None:
        (tmp_path / "there").write_bytes(b"x")
        with pytest.raises(RegistryError, match="role Storage Blob Data Reader"):
            await world.blobs().download(Object("", "manifests/reel.csv"), tmp_path / "back", limit=_LIMIT)
        with pytest.raises(RegistryError, match="role Storage Blob Data Contributor"):
            await world.blobs(BLOB_DATA_READER).upload(Object("", "manifests/reel.csv"), tmp_path / "there")

    in_laptop_hub(promise)


@pytest.mark.parametrize("name", ["../reports/other.csv", "a/../../reports/other.csv", "./other.csv", "..\\x"])
def test_no_name_leads_into_another_container(in_laptop_hub: InLaptopHub, tmp_path: Path, name: str) -> None:
    """
    HTTP clients take dots out of a path, and the function may read and write the whole account.
    """

    async def promise(world: LaptopHubWorld) -> None:
        blobs, path = world.blobs(BLOB_DATA_CONTRIBUTOR), tmp_path / "report"
        world.storage.containers["reports"] = {}
        path.write_bytes(b"x")
        await blobs.upload(Object("", "reports/other.csv"), path)

        for call in (
            blobs.download(Object("", f"manifests/{name}"), path, limit=_LIMIT),
            blobs.upload(Object("", f"manifests/{name}"), path),
        ):
            with pytest.raises(ManifestError, match="is no blob's name"):
                await call

        assert ["other.csv"] == list(world.storage.containers["reports"])
        assert {} == world.storage.containers["manifests"]

    in_laptop_hub(promise)


def test_two_who_write_the_same_report_do_not_mix(in_laptop_hub: InLaptopHub, tmp_path: Path) -> None:
    """
    An event may be delivered twice, and a manifest put in twice: the report is one of the two, whole.
    """

    async def promise(world: LaptopHubWorld) -> None:
        files = {tmp_path / letter: letter.encode() * size * 2**20 for letter, size in (("a", 2), ("b", 3))}
        for path, data in files.items():
            path.write_bytes(data)
        blobs = world.blobs(BLOB_DATA_CONTRIBUTOR)

        await asyncio.gather(*(blobs.upload(Object("", "manifests/reel.csv"), path) for path in files))

        (blob,) = world.storage.containers["manifests"].values()
        assert blob.data in files.values()

    in_laptop_hub(promise)
