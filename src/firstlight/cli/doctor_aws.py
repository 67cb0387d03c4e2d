"""
What `firstlight doctor` asks of AWS, and of whom.
"""

import os
from pathlib import Path

from firstlight import boto, regions
from firstlight.cli.doctor_given import Given
from firstlight.doctor.aws import Attempt, diagnose
from firstlight.doctor.aws_gathering import AwsClients
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis
from firstlight.errors import UsageError
from firstlight.verify.files import read_cas, read_device


def diagnosed(device: Device, given: Given) -> Diagnosis:
    """
    Return the diagnosis of *device*, as the credentials of this machine may read.

    Raises:
        UsageError: something is missing or does not belong together.
    """
    if given.id_scope or given.proxy:
        raise UsageError("--id-scope and --proxy go with --cloud azure.")
    region = given.region or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise UsageError("There is no region.", hint="Give --region, or set AWS_REGION.")
    attempt = None
    if given.key is not None:
        cert_pem, key_pem = read_device(given.cert, given.key, now=device.now, anyway=True)
        attempt = Attempt(cert_pem=cert_pem, key_pem=key_pem, timeout=given.timeout, watch=given.watch)
    clients = AwsClients(
        iot=boto.client("iot", region=region),
        iam=boto.client("iam", region=region),
        sts=boto.client("sts", region=region),
        dynamodb=boto.client("dynamodb", region=region),
        elsewhere={other: boto.client("iot", region=other) for other in _others(given.regions_file, region)},
    )
    return diagnose(
        clients,
        device,
        endpoint=given.endpoint.rstrip("."),
        port=given.port,
        ca_pem=None if given.ca_file is None else read_cas(given.ca_file),
        attempt=attempt,
    )


def _others(regions_file: Path, region: str) -> list[str]:
    if not regions_file.exists():
        return []
    return [other.name for other in regions.load(regions_file).aws if other.name != region]
