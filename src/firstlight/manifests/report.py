"""
The report of an import, read as a manifest: the rows that are not done.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import ManifestError, UsageError
from firstlight.manifests import cells
from firstlight.manifests.csv_rows import Row, Table
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record, one_line

# What an import writes, in this order; firstlight.importing.report does.
COLUMNS = ("ref", "name", "fingerprint", "status", "message", "to", "source", "attributes", "certificate")
DONE = "SUCCESS"
QUEUED = "QUEUED"
NOT_DONE = "ERROR"
# With one of these a spreadsheet takes a cell for a formula, and works it out; an apostrophe makes it a text.
_FORMULAS = ("=", "+", "-", "@")
_TEXT = "'"


def quoted(text: str) -> str:
    """
    Return *text* as a cell that no spreadsheet takes for a formula: a manifest's maker may have written it.
    """
    return _TEXT + text if text.startswith((*_FORMULAS, _TEXT)) else text


def unquoted(cell: str) -> str:
    """
    Return what `quoted` was given.
    """
    return cell.removeprefix(_TEXT)


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per row whose status is not SUCCESS; ref, source and attributes are those of its first manifest.

    A row that had no certificate in the first place stays the error it was.  How many are SUCCESS, and where, is noted.

    Raises:
        UsageError: the file cannot be read, or lacks the columns.
    """
    done, to = 0, ""
    with Table(path) as table:
        known = [name.lower() for name in table.columns]
        if missing := [column for column in COLUMNS if column not in known]:
            raise UsageError(
                f"{path} has no column {' and no column '.join(missing)}.", hint="It is no import's report."
            )
        for row in table.rows():
            if row.error is not None:
                yield Record("", source=f"{path.name} row {row.number}", error=row.error)
            elif row.get("status") != DONE:
                yield _record(path, row)
            else:
                done, to = done + 1, one_line(row.get("to"))
    if done:
        options.note(f"{path.name}: {done} devices are SUCCESS in {to} and left alone.")


def _record(path: Path, row: Row) -> Record:
    ref, source = (one_line(unquoted(row.get(name))) for name in ("ref", "source"))
    source = source or f"{path.name} row {row.number}"
    cell = row.get("certificate")
    if not cell:
        message = unquoted(row.get("message")) or f"{path}: it has no certificate."
        return Record(ref, source=source, error=ManifestError(message))
    try:
        attributes = json.loads(row.get("attributes") or "{}")
        found = tuple((str(name), str(value)) for name, value in attributes.items())
    except (ValueError, RecursionError, AttributeError):
        wrong = f"{path}: row {row.number} has attributes that are no JSON object."
        return Record(ref, source=source, error=ManifestError(wrong))
    return Record(ref, cells.certificate(cell), source, found)


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return sample.has_columns(*COLUMNS)


FORMAT = Format("report", "report of an import", _recognises, read)
