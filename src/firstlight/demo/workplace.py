"""
The folder one demo works in, which is gone afterwards unless it says why something went wrong.
"""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from firstlight.local import lease

_PREFIX = "tmp"
_KEPT = "kept"
_LAST_WORDS, _PAUSE = 5.0, 0.05  # seconds


@contextmanager
def taken(folder: Path) -> Iterator[Path]:
    """
    Make a new folder in *folder*, after removing what demos that were killed have left there.

    An interrupted demo's is removed.  Otherwise it stays, unless the block removes it, and is not removed later.

    Raises:
        UsageError: *folder* cannot be written.
    """
    with ExitStack() as held:
        # One at a time, so that nobody takes a folder for a leftover before its demo holds it.
        with (lease.usable(folder) / "workplaces.lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            _sweep(folder)
            place = Path(tempfile.mkdtemp(dir=folder, prefix=_PREFIX))
            held.enter_context(lease.hold(place))
        try:
            yield place
        except KeyboardInterrupt:
            _remove(place)
            raise
        finally:
            if place.is_dir():
                (place / _KEPT).touch()


def _remove(place: Path) -> None:
    """
    Remove *place*, in which a process that was just being started may go on writing until it sees that it is alone.
    """
    deadline = time.monotonic() + _LAST_WORDS
    while place.is_dir() and time.monotonic() < deadline:
        shutil.rmtree(place, ignore_errors=True)
        time.sleep(_PAUSE)


def _sweep(folder: Path) -> None:
    for place in folder.glob(f"{_PREFIX}*/"):
        if not (place / _KEPT).exists() and lease.current(place) is None:
            shutil.rmtree(place, ignore_errors=True)
