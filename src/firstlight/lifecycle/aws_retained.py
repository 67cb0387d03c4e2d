"""
What else the stacks of a region retain: the bucket of manifests, and whatever drain does not know.
"""

import json
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
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
}
_MOST_DELETED = 1000  # DeleteObjects


@dataclass(frozen=True)
class Retained:
    """
    Buckets and the rest of *place*.  Without *really* it only looks; *uploads* also deletes what is in buckets.
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
        # CloudFormation begins the name with that of the stack, so it is found without one, too.
        starts = tuple(f"{stack.lower()}-" for stack in self.place.stacks)
        found = [str(bucket["Name"]) for bucket in s3.list_buckets()["Buckets"]]
        return [name for name in found if name.startswith(starts)]

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
            if str(resource.get("DeletionPolicy", "")).startswith("Retain") and resource["Type"] not in _KNOWN
        ]
