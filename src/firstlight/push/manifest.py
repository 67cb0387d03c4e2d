"""
The Cloud ID manifest: CSV with the columns device_id, group_id and certificate.
"""

import base64
import binascii
import csv
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import UsageError

# `group_id`, the Product Batch ID, is of no use to a push.
_COLUMNS = ("device_id", "certificate")
_ALL_COLUMNS = "device_id, group_id, certificate"


def rows(path: Path) -> Iterator[tuple[int, str, bytes]]:
    r"""
    Yield row number, device id and certificate bytes of each device in the manifest at *path*.

    Rows are numbered as a spreadsheet shows them: the header is row 1.  A certificate is PEM (line
    ends may be written as `\n`), or the base64 of PEM or DER.

    Raises:
        UsageError: the file cannot be read, or lacks the columns, or a row lacks a value.
    """
    header, *table = _table(path) or [[]]
    names = [name.strip().lower() for name in header]
    if missing := [column for column in _COLUMNS if column not in names]:
        raise UsageError(
            f"{path} has no column {' and no column '.join(missing)}.", hint=f"Its first row names {_ALL_COLUMNS}."
        )
    devices = [(number, row) for number, row in enumerate(table, 2) if any(cell.strip() for cell in row)]
    if not devices:
        raise UsageError(f"{path} holds no device: there is no row after the header.")
    id_at, certificate_at = (names.index(column) for column in _COLUMNS)
    for number, row in devices:
        if len(row) != len(names):
            raise UsageError(f"{path}: row {number} has {len(row)} cells; the header has {len(names)}.")
        device_id, cell = row[id_at].strip(), row[certificate_at].strip()
        if not device_id or not cell:
            raise UsageError(f"{path}: row {number} has no {'certificate' if device_id else 'device_id'}.")
        yield number, device_id, _decoded(cell)


def _table(path: Path) -> list[list[str]]:
    table: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            # spreadsheets of many countries save "CSV" with semicolons
            delimiter = max(",;\t", key=head.count)
            table.extend(csv.reader(file, delimiter=delimiter, strict=True))
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{path} is not UTF-8.", hint="Save it as UTF-8 CSV.") from e
    except csv.Error as e:
        raise UsageError(f"{path}: row {len(table) + 1} is not CSV: {e}.") from e
    return table


def _decoded(cell: str) -> bytes:
    if "-----BEGIN " in cell:
        return cell.replace("\\r", "").replace("\\n", "\n").encode()
    try:
        return base64.b64decode("".join(cell.split()), validate=True)
    except (binascii.Error, ValueError):
        return cell.encode()
