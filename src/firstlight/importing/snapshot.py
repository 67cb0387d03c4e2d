"""
A report that is both read and written: read as it was when the run began.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from firstlight.errors import UsageError


@contextmanager
def snapshot_of(files: Sequence[Path], report: Path) -> Iterator[list[Path]]:
    """
    Yield *files* with a copy in the place of *report*: what is appended to it now is no manifest's row.

    Raises:
        UsageError: it cannot be copied.
    """
    here = [file.exists() and file.samefile(report) for file in files]
    if not any(here):
        # a run that is killed leaves the folder behind
        yield list(files)
        return
    with tempfile.TemporaryDirectory(prefix="firstlight-import-") as folder:
        copy = Path(folder) / report.name
        try:
            shutil.copyfile(report, copy)
        except OSError as e:
            raise UsageError(f"{report} cannot be copied to {folder}: {e.strerror}.") from e
        yield [copy if is_report else file for file, is_report in zip(files, here, strict=True)]
