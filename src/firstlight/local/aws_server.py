"""
The process that is the laptop's AWS: ministack, with three corrections of ours and a guard before it.

`python -m firstlight.local.aws_server FD HOST`, started as firstlight.local.child says; HOST is the one
devices connect to.
"""

import asyncio
import logging
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from firstlight.local.browser_guard import without_browsers
from firstlight.local.child import allow_many_sockets, told_to_stop
from firstlight.local.device_endpoint import with_device_endpoint
from firstlight.local.iam_batches import know_batches
from firstlight.local.iam_targets import know_targets

_STOPPING = 2.0  # seconds for answers under way


def main() -> None:
    """
    Serve until told to stop, then end the whole process group: Lambdas run in it.
    """
    fd, host = sys.argv[1:]
    # ministack runs Lambdas with the interpreter it runs on.
    sys.executable = str(_bare_python(Path(tempfile.gettempdir())))
    allow_many_sockets()
    asyncio.run(_serve(int(fd), host))


async def _serve(fd: int, host: str) -> None:
    # Late, since ministack reads its environment when imported.
    from hypercorn.asyncio import serve  # noqa: PLC0415 -- see above
    from hypercorn.config import Config  # noqa: PLC0415 -- see above
    from ministack.app import app  # noqa: PLC0415 -- see above
    from ministack.core import iam_actions  # noqa: PLC0415 -- see above

    know_targets(iam_actions)
    know_batches(iam_actions)
    aws: Any = without_browsers(with_device_endpoint(app, host))
    config = Config()
    config.bind = [f"fd://{fd}"]
    # As ministack's own main() has it: SDKs keep connections for about a minute.
    config.keep_alive_timeout = 75
    config.graceful_timeout = _STOPPING
    config.shutdown_timeout = _STOPPING
    config.loglevel = "WARNING"
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    await serve(aws, config, shutdown_trigger=told_to_stop)
    # Not sys.exit: ministack's threads and Lambdas under way would be waited for.
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


def _bare_python(folder: Path) -> Path:
    """
    Return a Python without this environment's packages: what a bundle lacks, its Lambda misses here too.
    """
    python = folder / "python"
    interpreter = getattr(sys, "_base_executable", sys.executable)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(interpreter)} -s -S "$@"\n', "utf-8")
    python.chmod(0o700)
    return python


if __name__ == "__main__":
    main()
