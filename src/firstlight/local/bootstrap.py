"""
What `cdk bootstrap` leaves in an account, as far as the stacks look for it: a bucket and a version.
"""

from collections.abc import Iterable
from typing import Any

from firstlight import boto
from firstlight.deploy.assembly import Stack
from firstlight.errors import DeploymentError

_VERSION_NAME = "/cdk-bootstrap/hnb659fds/version"
# Templates ask for at least 6 (aws-cdk-lib's DefaultStackSynthesizer); 30 was current when this was written.
_VERSION = "30"


def bootstrap(stacks: Iterable[Stack], *, region: str, s3: Any, ssm: Any) -> None:
    """
    Make the buckets that *stacks* name, and the parameter their templates check.  Both may be there already.
    """
    with boto.refusals("Preparing the laptop's AWS for deployments", error=DeploymentError):
        ssm.put_parameter(Name=_VERSION_NAME, Value=_VERSION, Type="String", Overwrite=True)
        there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        for bucket in sorted({asset.bucket for stack in stacks for asset in stack.assets} - there):
            # The one region whose name S3 refuses to hear.
            elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
            s3.create_bucket(Bucket=bucket, **elsewhere)
