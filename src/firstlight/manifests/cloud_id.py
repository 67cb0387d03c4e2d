"""
The Cloud ID manifest: CSV with the columns device_id, group_id and certificate.
"""

from collections.abc import Iterator
from pathlib import Path

from firstlight.manifests import cells
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record

# `group_id`, the Product Batch ID, is a further column like any other.
REF, CERTIFICATE = "device_id", "certificate"
_HINT = "Its first row names device_id, group_id, certificate."


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per row; its ref is the device id.

    Raises:
        UsageError: the file cannot be read or lacks the columns.
    """
    return cells.records(path, options, ref_column=REF, certificate_column=CERTIFICATE, hint=_HINT)


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return sample.has_columns(REF, CERTIFICATE)


FORMAT = Format("cloud-id", "Cloud ID CSV", _recognises, read)
