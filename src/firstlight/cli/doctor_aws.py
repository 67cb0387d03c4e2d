"""
What `firstlight doctor` asks of AWS, and of whom.
"""

import os
from pathlib import Path

import click

from firstlight import boto, regions
from firstlight.cli.verify_report import missing_sdk
from firstlight.doctor.aws import Attempt, diagnose
from firstlight.doctor.aws_gathering import AwsClients
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis
from firstlight.errors import UsageError
from firstlight.verify.files import read_cas, read_device


def diagnosed(
    device: Device,
    *,
    cert: Path,
    key: Path | None,
    region: str,
    endpoint: str,
    port: int,
    ca_file: Path | None,
    regions_file: Path,
    timeout: float,
) -> Diagnosis:
    """
    Return the diagnosis of *device* in *region*, as the credentials of this machine may read.

    Raises:
        UsageError: something is missing or does not belong together.
    """
    region = region or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise UsageError("There is no region.", hint="Give --region, or set AWS_REGION.")
    attempt = None
    if key is not None:
        pair = read_device(cert, key, now=device.now, anyway=True)
        attempt = Attempt(
            cert_pem=pair[0], key_pem=pair[1], timeout=timeout, watch=lambda line: click.echo(line, err=True)
        )
    clients = AwsClients(
        iot=boto.client("iot", region=region),
        iam=boto.client("iam", region=region),
        sts=boto.client("sts", region=region),
        elsewhere={other: boto.client("iot", region=other) for other in _others(regions_file, region)},
    )
    try:
        return diagnose(
            clients,
            device,
            endpoint=endpoint.rstrip("."),
            port=port,
            ca_pem=None if ca_file is None else read_cas(ca_file),
            attempt=attempt,
        )
    except ModuleNotFoundError as e:
        raise missing_sdk(e) from e


def _others(regions_file: Path, region: str) -> list[str]:
    if not regions_file.exists():
        return []
    return [other.name for other in regions.load(regions_file).aws if other.name != region]
