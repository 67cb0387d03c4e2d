"""
The Espressif manifest: CSV with the columns MAC, cn and cert, the certificate as PEM in quotes over many lines.
"""

from collections.abc import Iterator
from pathlib import Path

from firstlight.manifests import cells
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record

_REF, _CERTIFICATE = "MAC", "cert"


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per row; its ref is the MAC address as it is written.

    Further columns, encrypted ones among them, are looked at only where an attribute asks for them.

    Raises:
        UsageError: the file cannot be read or lacks the columns.
    """
    return cells.records(path, options, ref_column=_REF, certificate_column=_CERTIFICATE)


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return sample.has_columns(_REF, _CERTIFICATE)


FORMAT = Format("espressif", "Espressif CSV", _recognises, read)
