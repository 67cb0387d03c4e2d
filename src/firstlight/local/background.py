"""
Starts, stops and resets the laptop clouds that run in another process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from firstlight import errors
from firstlight.errors import DeploymentError, FirstlightError
from firstlight.local import lease
from firstlight.local.addresses import Addresses
from firstlight.local.keeper import Options

_STOPPING = 20.0  # seconds
_RESETTING = 180.0
_LOOK = 0.05


def start(options: Options, *, report: Callable[[str], None]) -> Addresses:
    """
    Start the laptop clouds so that they outlive this process; return where they answer, once they do.

    Raises:
        FirstlightError: what `keeper.keep` raises.
    """
    log = lease.usable(options.folder) / "laptop.log"
    with log.open("wb") as errors_of_it:
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [sys.executable, "-m", "firstlight.local.keeper", options.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors_of_it,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 -- a pipe, see above
    try:
        with process.stdout as lines:
            for line in lines:
                match json.loads(line):
                    case {"step": step}:
                        report(step)
                    case {"failed": {"kind": kind, "message": message, "hint": hint}}:
                        process.wait()
                        raise _error(kind, message, hint)
                    case {"up": found}:
                        return Addresses.from_json(found)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    process.wait()
    raise DeploymentError("The laptop clouds did not start.", hint=f"See {log}.")


def stop(folder: Path) -> bool:
    """
    Stop the laptop clouds of the state folder *folder*; return whether there were any.

    Raises:
        DeploymentError: they would not go.
    """
    found = lease.current(folder)
    if found is None:
        return False
    os.kill(found["pid"], signal.SIGTERM)
    if not lease.wait_until_free(folder, seconds=_STOPPING):
        # What it started ends with it: see firstlight.local.child.
        os.kill(found["pid"], signal.SIGKILL)
        if not lease.wait_until_free(folder, seconds=_STOPPING):
            raise DeploymentError(f"The laptop clouds did not stop; process {found['pid']} holds on.")
    return True


def reset(folder: Path) -> Addresses:
    """
    Make the laptop clouds forget every device and deploy their stacks anew; return where they answer now.

    Raises:
        DeploymentError: they do not run, or could not deploy.
    """
    before = lease.require_current(folder)
    os.kill(before["pid"], signal.SIGUSR1)
    deadline = time.monotonic() + _RESETTING
    while (found := lease.require_current(folder))["resets"] == before["resets"]:
        if time.monotonic() > deadline:
            raise DeploymentError("The laptop clouds did not reset.", hint=f"See the logs in {folder}.")
        time.sleep(_LOOK)
    if failure := found.get("failure"):
        raise DeploymentError(failure)
    return Addresses.from_json(found)


def _error(kind: str, message: str, hint: str) -> FirstlightError:
    error = getattr(errors, kind, DeploymentError)
    assert issubclass(error, FirstlightError)  # noqa: S101 -- the keeper names its own errors only
    return error(message, hint=hint)
