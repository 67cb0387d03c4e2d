"""
A CSV file whose columns are known to records: one per row.
"""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import ManifestError, UsageError
from firstlight.manifests import attributes
from firstlight.manifests.csv_rows import Row, Table
from firstlight.manifests.format import Options
from firstlight.manifests.record import Record, one_line


def records(
    path: Path, options: Options, *, certificate_column: str, ref_column: str = "", hint: str = ""
) -> Iterator[Record]:
    """
    Yield a record per row of the file at *path*; without *ref_column* its ref is the row's number.

    All other columns are fields for attributes.

    Raises:
        UsageError: the file cannot be read, or lacks a column; *hint* is the remedy.
    """
    own = {certificate_column.lower(), ref_column.lower()}
    with Table(path) as table:
        known = [name.lower() for name in table.columns]
        if missing := [c for c in (ref_column, certificate_column) if c and c.lower() not in known]:
            raise UsageError(
                f"{path} has no column {' and no column '.join(missing)}.",
                hint=hint or f"It has: {', '.join(table.columns)}.",
            )
        if twice := [c for c in (ref_column, certificate_column) if c and known.count(c.lower()) > 1]:
            # which of them is meant, nobody can know
            raise UsageError(f"{path} has the column {twice[0]} more than once.")
        attributes.require_known(options.attributes, table.columns, str(path))
        for row in table.rows():
            ref = one_line(row.get(ref_column)) if ref_column else str(row.number)
            source = one_line(f"{path.name} row {row.number}")
            cell = row.get(certificate_column)
            if error := _error(path, row, ref_column if not ref else "" if cell else certificate_column):
                yield Record(ref, source=source, error=error)
                continue
            fields = {name: one_line(value) for name, value in row.cells.items() if name.lower() not in own}
            try:
                chosen = attributes.chosen(fields, options.attributes)
            except ManifestError as e:
                yield Record(ref, source=source, error=ManifestError(f"{path}: row {row.number} {e.message}."))
                continue
            yield Record(ref, certificate(cell), source, chosen)


def certificate(cell: str) -> bytes:
    r"""
    Return the bytes that *cell* spells: PEM (line ends may be written as `\n`), or the base64 of PEM or DER.
    """
    if "-----BEGIN " in cell:
        return cell.replace("\\r", "").replace("\\n", "\n").encode()
    try:
        return base64.b64decode("".join(cell.split()), validate=True)
    except (binascii.Error, ValueError):
        return cell.encode()


def _error(path: Path, row: Row, missing: str) -> ManifestError | None:
    if row.error is not None:
        return row.error
    return ManifestError(f"{path}: row {row.number} has no {missing}.") if missing else None
