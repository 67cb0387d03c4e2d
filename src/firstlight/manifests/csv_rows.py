"""
A CSV file row by row: numbered as a spreadsheet shows them, and a broken row costs no other.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from firstlight.errors import ManifestError, UsageError

# No certificate with its chain comes near.
MAX_CELL = 256 * 2**10
# Lines and headers beyond these are none of a manifest; a file of one endless line must not fill the memory.
_MAX_LINE = 4 * MAX_CELL
_MAX_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row: its cells by the header's names, or why it cannot be read.
    """

    number: int
    cells: dict[str, str] = field(default_factory=dict, repr=False)
    error: ManifestError | None = None

    def get(self, column: str) -> str:
        """
        Return the cell of *column*, however its capitals are written; "" if there is none.
        """
        wanted = column.lower()
        return next((cell for name, cell in self.cells.items() if name.lower() == wanted), "")


class Table:
    """
    The CSV file at *path*: UTF-8, cells between commas, semicolons or tabs, the first row names the columns.

    `columns` are the names as they are written.  The file is open until the table is left.

    Raises:
        UsageError: the file cannot be read, or its first row is not CSV in UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # a byte that is no UTF-8 is an error of its row, not of the file
            self._file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
            head = self._file.readline(MAX_CELL)
            self._file.seek(0)
        except OSError as e:
            raise UsageError(f"{path} cannot be read: {e.strerror}.") from e
        # spreadsheets of many countries save "CSV" with semicolons
        lines = iter(lambda: self._file.readline(_MAX_LINE), "")
        self._reader = csv.reader(lines, delimiter=max(",;\t", key=head.count), strict=True)
        try:
            header = next(self._reader, [])
        except csv.Error as e:
            self._file.close()
            raise UsageError(f"{path}: row 1 is not CSV: {e}.") from e
        if len(header) > _MAX_COLUMNS:
            self._file.close()
            raise UsageError(f"{path}: row 1 names more than {_MAX_COLUMNS} columns.")
        if not _is_text(header):
            self._file.close()
            raise UsageError(f"{path}: row 1 is not UTF-8.", hint="Save it as UTF-8 CSV.")
        self.columns = [name.strip() for name in header]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """
        Yield every row below the header that has anything in it.
        """
        csv.field_size_limit(MAX_CELL)
        number, broken = 1, False
        while True:
            number += 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as e:
                # a stray quote may take the rows after it along: what of them fits no column is not said again
                if not broken:
                    yield Row(number, error=ManifestError(f"{self._path}: row {number} is not CSV: {e}."))
                broken = True
                continue
            if not any(cell.strip() for cell in cells) or (broken and len(cells) != len(self.columns)):
                continue
            broken = False
            yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row:
        where = f"{self._path}: row {number}"
        if len(cells) != len(self.columns):
            wrong = f"{where} has {len(cells)} cells; the header has {len(self.columns)}."
            return Row(number, error=ManifestError(wrong))
        if not _is_text(cells):
            return Row(number, error=ManifestError(f"{where} is not UTF-8.", hint="Save it as UTF-8 CSV."))
        return Row(number, dict(zip(self.columns, (cell.strip() for cell in cells), strict=True)))


def _is_text(cells: list[str]) -> bool:
    return not any("\udc80" <= c <= "\udcff" for cell in cells if not cell.isascii() for c in cell)
