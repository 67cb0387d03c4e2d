"""
What else the stacks of a region retain: the bucket of manifests, and whatever drain does not know.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firstlight.lifecycle.aws_place import AwsPlace
from firstlight.lifecycle.rows import Became, Row

# What drain deletes, or says why not.
_KNOWN = {
    "AWS::ApiGateway::Account",
    "AWS::IAM::Role",
    "AWS::IoT::BillingGroup",
    "AWS::IoT::Policy",
    "AWS::IoT::ThingGroup",
    "AWS::IoT::ThingType",
    "AWS::S3::BucketPolicy",
}
_BUCKET = "AWS::S3::Bucket"
# How the logical id of the ingest stack's bucket begins.
_MANIFESTS = "Manifests"
_MOST_DELETED = 1000  # DeleteObjects


@dataclass(frozen=True)
class Retained:
    """
    The bucket of manifests and the rest of *place*.  Without *really* it only looks; *uploads* also deletes what is
    in the bucket.
    """

    place: AwsPlace
    really: bool
    uploads: bool

    def delete(self) -> Iterator[Row]:
        """
        Yield a row for each bucket, gone or with the reason why it stays, and for each resource that stays unasked.
        """
        s3 = self.place.client("s3")
        for name in self._buckets(s3):
            yield self._bucket(s3, name)
        for stack in self.place.stacks:
            for logical_id, kind in self._unknown(stack):
                yield Row(
                    f"{kind} {logical_id}", Became.UNCHANGED, f"stays when {stack} is deleted; delete it yourself."
                )

    def _buckets(self, s3: Any) -> list[str]:
        # CloudFormation makes the name of the stack's, the logical id and a dozen characters of its own, so the bucket
        # is found without its stack, too.  Any other of a similar name is somebody's.
        ingest, _ = self.place.stacks
        ours = re.compile(rf"{re.escape(f'{ingest}-{_MANIFESTS}'.lower())}[a-z0-9]*-[a-z0-9]{{12,14}}")
        found = [str(bucket["Name"]) for bucket in s3.list_buckets()["Buckets"]]
        return [name for name in found if ours.fullmatch(name)]

    def _bucket(self, s3: Any, name: str) -> Row:
        what, count = f"bucket {name}", 0
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            count += len(listed)
            if listed and not self.uploads:
                return Row(what, Became.UNCHANGED, "stays: manifests and reports are in it.", "--delete-uploads.")
            if listed and self.really:
                self._empty(s3, name, listed)
        if self.really:
            s3.delete_bucket(Bucket=name)
        return Row(what, Became.DELETED if self.really else Became.FORESEEN, f"{count:,} uploads and reports with it.")

    @staticmethod
    def _empty(s3: Any, name: str, listed: list[dict[str, Any]]) -> None:
        for start in range(0, len(listed), _MOST_DELETED):
            keys = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in listed[start : start + _MOST_DELETED]]
            s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})

    def _unknown(self, stack: str) -> list[tuple[str, str]]:
        resources = json.loads(self.place.template(stack) or "{}").get("Resources", {})
        return [
            (logical_id, resource["Type"])
            for logical_id, resource in resources.items()
            if str(resource.get("DeletionPolicy", "")).startswith("Retain")
            and resource["Type"] not in _KNOWN
            and not (resource["Type"] == _BUCKET and logical_id.startswith(_MANIFESTS))
        ]
