"""
Who runs the laptop clouds of a state folder, if anybody, and where they answer.

The one who does holds a lock on `laptop.lock` until the process ends, whichever way it ends; only
then is `laptop.json` believed.  So a stale file, or a process id that is somebody else's by now,
misleads nobody.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from firstlight.errors import DeploymentError, UsageError

_LOCK = "laptop.lock"
_NOTE = "laptop.json"
_LOOKERS = 0.5  # seconds; whoever looks holds the lock for an instant
_PAUSE = 0.02


class Lease:
    """
    Held by the process that runs the clouds; `publish` tells everybody else where they answer.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / _NOTE

    def publish(self, found: dict[str, Any]) -> None:
        """
        Replace what `current` answers; *found* is JSON's.
        """
        new = self._note.with_suffix(".new")
        # secrets of the laptop's clouds are in it
        new.touch(mode=0o600)
        new.write_text(json.dumps({**found, "pid": os.getpid()}, indent=2), "utf-8")
        new.replace(self._note)

    def _withdraw(self) -> None:
        self._note.unlink(missing_ok=True)


@contextmanager
def hold(folder: Path) -> Iterator[Lease]:
    """
    Raises:
        UsageError: somebody else holds it, or *folder* cannot be written.
    """
    with _lock_file(usable(folder)) as lock:
        if not _locked(lock, time.monotonic() + _LOOKERS):
            raise UsageError(
                f"The laptop clouds of {folder} are running already.",
                hint="See `firstlight local status`, stop them with `firstlight local down`.",
            )
        lease = Lease(folder)
        lease.publish({})
        try:
            yield lease
        finally:
            lease._withdraw()  # noqa: SLF001 -- the lease's other half


def current(folder: Path) -> dict[str, Any] | None:
    """
    Return what the holder published, with its `pid`; None when there is no holder.

    Before the clouds are up there is only the `pid`.

    Raises:
        UsageError: *folder* cannot be used.
    """
    try:
        known = (folder / _LOCK).exists()
    except OSError as e:
        raise UsageError(f"The state folder {folder} cannot be used: {e.strerror}.") from e
    if not known:
        return None
    with _lock_file(folder) as lock:
        if _locked(lock, time.monotonic()):
            return None
    try:
        note: dict[str, Any] = json.loads((folder / _NOTE).read_text("utf-8"))
    except FileNotFoundError:  # it has just ended
        return None
    return note


def wait_until_free(folder: Path, *, seconds: float) -> bool:
    """
    Return whether nobody holds the lease, *seconds* from now at the latest.
    """
    deadline = time.monotonic() + seconds
    with _lock_file(folder) as lock:
        return _locked(lock, deadline)


def require_current(folder: Path) -> dict[str, Any]:
    """
    Raises:
        DeploymentError: the clouds are not running, or not up yet.
    """
    found = current(folder)
    if found is None:
        raise DeploymentError("The laptop clouds are not running.", hint="Start them with `firstlight local up`.")
    if len(found) == 1:
        raise DeploymentError("The laptop clouds are still starting.", hint="Look again in a few seconds.")
    return found


def usable(folder: Path) -> Path:
    """
    Return *folder*, made if it is not there.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"The state folder {folder} cannot be made: {e.strerror}.") from e
    _lock_file(folder).close()
    return folder


def _lock_file(folder: Path) -> IO[str]:
    try:
        return (folder / _LOCK).open("a")
    except OSError as e:
        raise UsageError(f"The state folder {folder} cannot be used: {e.strerror}.") from e


def _locked(lock: IO[str], deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        else:
            return True
