"""
Which processes belong to a state folder, and where they listen.  Linux's /proc.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

_LISTENING = "0A"


def of(folder: Path) -> set[int]:
    """
    Return the processes whose command line or environment names *folder*: all that the laptop starts.
    """
    return {
        int(p.name)
        for p in Path("/proc").iterdir()
        if p.name.isdigit() and int(p.name) != os.getpid() and _names(p, folder)
    }


def listening(pids: set[int]) -> set[str]:
    """
    Return the addresses, hexadecimal as the kernel has them, on which *pids* accept TCP connections.
    """
    sockets = {target for pid in pids for target in _descriptors(Path(f"/proc/{pid}/fd"))}
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTENING and f"socket:[{rest[5]}]" in sockets:
                addresses.add(local.partition(":")[0])
    return addresses


def soon(holds: Callable[[], bool], seconds: float = 15.0) -> bool:
    """
    Return whether *holds* came true within *seconds*.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _names(process: Path, folder: Path) -> bool:
    try:
        said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except OSError:  # it is gone, or not ours to look at
        return False
    return str(folder).encode() in said


def _descriptors(folder: Path) -> set[str]:
    found = set()
    try:
        for descriptor in folder.iterdir():
            found.add(str(descriptor.readlink()))
    except OSError:  # gone meanwhile
        pass
    return found
