"""
Folders as values: laid out afresh, compared by content, archived byte for byte alike.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

# 2000-01-01T00:00:00Z.  A file carries no time of its own, so that equal contents are equal bundles;
# not 1980, the earliest a zip can hold, which is 1979 west of Greenwich.
_MTIME = 946_684_800
_ZIP_TIME = (2000, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644


def lay_out(files: Mapping[str, Path | bytes], out: Path) -> None:
    """
    Make the folder *out* hold exactly *files*, by relative POSIX path.

    It is replaced whole, or left alone if it holds just that: a reader never meets half of it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        fresh = Path(scratch) / out.name
        for name, content in sorted(files.items()):
            _place(content, fresh / name)
        fresh.chmod(0o755)
        if out.is_dir() and digest(out) == digest(fresh):
            return
        if out.exists():
            out.rename(Path(scratch) / "replaced")
        fresh.rename(out)


def files_of(folder: Path) -> dict[str, Path]:
    """
    Return every file under *folder*, by relative POSIX path, in order.
    """
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def digest(folder: Path) -> str:
    """
    Return 64 hex digits that tell the names, modes, times and contents of the files under *folder*.
    """
    total = hashlib.sha256()
    for name, path in files_of(folder).items():
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{name}\0{status.st_mode:o}\0{int(status.st_mtime)}\0{content}\n".encode())
    return total.hexdigest()


def archive(folder: Path, to: Path) -> Path:
    """
    Write *folder* to the zip file *to* and return it; equal folders make equal files.
    """
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as out:
        for name, path in files_of(folder).items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _FILE_MODE << 16
            out.writestr(entry, path.read_bytes())
    return to


def _place(content: Path | bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    else:
        shutil.copyfile(content, target)
    target.chmod(_FILE_MODE)
    os.utime(target, (_MTIME, _MTIME))
