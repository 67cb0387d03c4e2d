"""
The bucket for manifests, where a region wants one.
"""

import json
from typing import Any

import pytest

from firstlight.outputs import ManifestOutput
from firstlight.regions import AwsRegion
from tests.synth.conftest import Synthesize, Synthesized
from tests.synth.templates import function, only, permissions, resources

_BUCKET = "AWS::S3::Bucket"


@pytest.fixture(scope="session")
def ingest(full: Synthesized) -> dict[str, Any]:
    return full.of("Ingest")


def test_without_the_key_there_is_none(committed: Synthesized) -> None:
    """
    The stack stays as small as it was.
    """
    template = committed.templates["FirstlightIngest-eu-west-1"]

    assert {} == resources(template, _BUCKET) | resources(template, "AWS::Events::Rule")
    assert ManifestOutput.BUCKET not in template["Outputs"]


def test_the_bucket_is_private_encrypted_and_forgets(ingest: dict[str, Any]) -> None:
    """
    Nobody is public, everything is encrypted, uploads and reports go after 90 days; and it outlives the stack.
    """
    name, bucket = next(iter(resources(ingest, _BUCKET).items()))
    properties = bucket["Properties"]

    assert (
        dict.fromkeys(properties["PublicAccessBlockConfiguration"], True)
        == properties["PublicAccessBlockConfiguration"]
    )
    assert 4 == len(properties["PublicAccessBlockConfiguration"])
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "AES256" == rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
    (lifecycle,) = properties["LifecycleConfiguration"]["Rules"]
    assert (90, 1) == (
        lifecycle["ExpirationInDays"],
        lifecycle["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"],
    )
    assert "RetainExceptOnCreate" == bucket["DeletionPolicy"]
    assert {"Ref": name} == ingest["Outputs"][ManifestOutput.BUCKET]["Value"]


def test_it_is_reached_over_tls_only_but_on_the_laptop(
    ingest: dict[str, Any], synthesize: Synthesize, full_region: AwsRegion
) -> None:
    """
    The laptop's AWS speaks plain HTTP.
    """
    (statement,) = only(ingest, "AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"]
    laptop = synthesize((full_region,), firstlight__plain_http=True).of("Ingest")

    assert ("Deny", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}) == (
        statement["Effect"],
        statement["Action"],
        statement["Condition"],
    )
    assert {} == resources(laptop, "AWS::S3::BucketPolicy")


def test_uploads_below_manifests_and_no_others_reach_the_function(ingest: dict[str, Any]) -> None:
    """
    A report that is written makes no event of its own.
    """
    rule = only(ingest, "AWS::Events::Rule")["Properties"]
    (target,) = rule["Targets"]

    assert [{"prefix": "manifests/"}] == rule["EventPattern"]["detail"]["object"]["key"]
    assert [{"Ref": next(iter(resources(ingest, _BUCKET)))}] == rule["EventPattern"]["detail"]["bucket"]["name"]
    assert "Manifests" in json.dumps(target["Arn"])


def test_the_function_reads_manifests_writes_reports_and_queues(ingest: dict[str, Any]) -> None:
    """
    It may do nothing to any device, and is told what the worker is told.
    """
    properties = function(ingest, "manifest")["Properties"]

    role = ingest["Resources"][properties["Role"]["Fn::GetAtt"][0]]

    reach = {(action, place.partition(".")[2].partition(">")[2]) for action, place in permissions(role)}
    assert {
        ("s3:GetObject", "/manifests/*"),
        ("s3:PutObject", "/reports/*"),
        ("sqs:SendMessage", ""),
        ("logs:CreateLogStream", ""),
        ("logs:PutLogEvents", ""),
    } == reach
    environment = properties["Environment"]["Variables"]
    assert ("site,place=Line", "manifest_signers.pem", "trusted_issuers.pem") == (
        environment["FIRSTLIGHT_MANIFEST_ATTRIBUTES"],
        environment["FIRSTLIGHT_MANIFEST_SIGNERS_FILE"],
        environment["FIRSTLIGHT_TRUSTED_ISSUERS_FILE"],
    )
    assert "FIRSTLIGHT_QUEUE_URL" in environment
