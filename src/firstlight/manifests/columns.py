"""
Any CSV whose columns the operator names.
"""

from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import UsageError
from firstlight.manifests import cells
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per row: the certificate of `certificate_column`, the ref of `ref_column`, or else the row's number.

    Raises:
        UsageError: no column is named, the file cannot be read, or it lacks a column that is named.
    """
    if not options.certificate_column:
        raise UsageError(f"Which column of {path} holds the certificate?", hint="Name it with --certificate-column.")
    return cells.records(path, options, ref_column=options.ref_column, certificate_column=options.certificate_column)


def _recognises(sample: Sample, options: Options) -> bool:
    return bool(options.certificate_column) and sample.has_columns(options.certificate_column)


FORMAT = Format("csv", "CSV with named columns", _recognises, read)
