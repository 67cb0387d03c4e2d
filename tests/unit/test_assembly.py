"""
A cloud assembly is read as the CDK wrote it.
"""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from firstlight.deploy import assembly, assets
from firstlight.errors import DeploymentError

ACCOUNT = "123456789012"
REGION = "eu-west-1"


class MemoryBucket:
    """
    As much of S3 as publishing needs.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 -- boto3's names
        self.objects[Bucket, Key] = Body


def stack_artifact(name: str, environment: str, dependencies: list[str]) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://{environment}",
        "properties": {
            "templateFile": f"{name}.template.json",
            "stackTemplateAssetObjectUrl": "s3://cdk-${AWS::AccountId}-${AWS::Region}/t.json",
        },
        "dependencies": dependencies,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    Two stacks for one region, one for another; the first depends on the second and has a function.
    """
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Bucket": "b", "S3Key": "code.zip"}}}
    for name in ("one", "two", "far"):
        (tmp_path / f"{name}.template.json").write_text(json.dumps({"Resources": {"F": function}}))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "handler.py").write_text("x = 1\n")
    destination = {"bucketName": "cdk-${AWS::AccountId}-${AWS::Region}", "objectKey": "code.zip"}
    files = {"c": {"source": {"path": "code", "packaging": "zip"}, "destinations": {"d": destination}}}
    (tmp_path / "one.assets.json").write_text(json.dumps({"files": files, "dockerImages": {}}))
    artifacts = {
        "one.assets": {"type": "cdk:asset-manifest", "properties": {"file": "one.assets.json"}},
        "one": stack_artifact("one", f"unknown-account/{REGION}", ["two", "one.assets"]),
        "two": stack_artifact("two", f"{ACCOUNT}/{REGION}", []),
        "far": stack_artifact("far", "unknown-account/us-east-1", []),
        "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": artifacts}))
    return tmp_path


def test_stacks_come_after_those_they_depend_on(folder: Path) -> None:
    """
    Only the region's stacks are read, in the order they can be deployed.
    """
    assert ["two", "one"] == [s.name for s in assembly.read(folder, account=ACCOUNT, region=REGION)]


def test_a_template_is_deployed_as_synthesized(folder: Path) -> None:
    """
    What is deployed is the file's text, byte for byte.
    """
    _, one = assembly.read(folder, account=ACCOUNT, region=REGION)

    assert (folder / "one.template.json").read_text() == one.template


def test_placeholders_become_the_account_and_the_region(folder: Path) -> None:
    """
    A stack bound to no account finds the bucket of the one it is deployed to.
    """
    _, one = assembly.read(folder, account=ACCOUNT, region=REGION)

    assert f"s3://cdk-{ACCOUNT}-{REGION}/t.json" == one.template_url
    assert [f"cdk-{ACCOUNT}-{REGION}"] == [a.bucket for a in one.assets]


def test_a_folder_is_uploaded_as_the_same_zip_every_time(folder: Path) -> None:
    """
    Two uploads of the same files are the same bytes.
    """
    _, one = assembly.read(folder, account=ACCOUNT, region=REGION)
    first, second = MemoryBucket(), MemoryBucket()

    assets.publish(one.assets, first)
    (folder / "code" / "handler.py").touch()
    assets.publish(one.assets, second)

    assert first.objects == second.objects
    (content,) = first.objects.values()
    assert ["handler.py"] == zipfile.ZipFile(BytesIO(content)).namelist()


def test_another_region_of_the_same_file_is_not_our_bucket(folder: Path) -> None:
    """
    The CDK names every region a file goes to in one place; we deploy one region.
    """
    document = json.loads((folder / "one.assets.json").read_text())
    document["files"]["c"]["destinations"]["far"] = {"bucketName": "far", "objectKey": "k", "region": "us-east-1"}
    (folder / "one.assets.json").write_text(json.dumps(document))

    _, one = assembly.read(folder, account=ACCOUNT, region=REGION)

    assert ["code.zip"] == [a.key for a in one.assets]


def test_what_two_stacks_expect_is_uploaded_once(folder: Path) -> None:
    """
    A file that both name is the same file.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"]["two"]["dependencies"] = ["one.assets"]
    (folder / "manifest.json").write_text(json.dumps(manifest))

    two, one = assembly.read(folder, account=ACCOUNT, region=REGION)

    assert two.assets == one.assets


def test_only_what_a_function_runs_is_replaced(folder: Path, tmp_path: Path) -> None:
    """
    The laptop's build of the Lambda goes under the key the template names.
    """
    _, one = assembly.read(folder, account=ACCOUNT, region=REGION)
    (tmp_path / "laptop.zip").write_bytes(b"laptop")
    bucket = MemoryBucket()

    assets.publish(one.assets, bucket, code=tmp_path / "laptop.zip")

    assert {(f"cdk-{ACCOUNT}-{REGION}", "code.zip"): b"laptop"} == bucket.objects


def test_a_region_without_stacks_is_said(folder: Path) -> None:
    """
    Deploying nothing is not a success.
    """
    with pytest.raises(DeploymentError, match="has no stack for eu-central-1"):
        assembly.read(folder, account=ACCOUNT, region="eu-central-1")


def test_stacks_of_another_account_are_not_ours(folder: Path) -> None:
    """
    A stack bound to an account is deployed nowhere else.
    """
    assert ["one"] == [s.name for s in assembly.read(folder, account="999999999999", region=REGION)]


def test_container_images_are_left_to_the_cdk(folder: Path) -> None:
    """
    An asset that cannot be deployed is refused, not skipped.
    """
    (folder / "one.assets.json").write_text(json.dumps({"dockerImages": {"i": {}}}))

    with pytest.raises(DeploymentError, match="container images"):
        assembly.read(folder, account=ACCOUNT, region=REGION)


def test_a_folder_that_is_no_assembly_is_said(tmp_path: Path) -> None:
    """
    The sentence names the file that should be there.
    """
    with pytest.raises(DeploymentError, match=r"manifest\.json is not part of a cloud assembly"):
        assembly.read(tmp_path, account=ACCOUNT, region=REGION)
