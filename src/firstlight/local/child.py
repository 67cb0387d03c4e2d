"""
A server of ours in a process of its own, which never outlives the one that started it.

The child is `python -m MODULE FD …`: FD is a socket that listens already, so that a port that is taken
is found before anything starts.  Its standard input is a pipe: end of file is the order to stop, given
by `stop`, or by the kernel when the parent is gone, whichever way it went.  `told_to_stop` waits for it.
"""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from firstlight.errors import UsageError
from firstlight.local import stopping

_STOPPING = 6.0  # seconds


class Child:
    """
    Started by being made.  Its output goes to *log*, its process group is its own.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], *, listener: socket.socket, log: Path, environment: dict[str, str]
    ) -> None:
        with ExitStack() as unfinished, log.open("wb") as output:
            # An interrupt in between would leave a process that nobody knows.
            with stopping.held_back():
                self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                    [sys.executable, "-m", module, str(listener.fileno()), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=[listener.fileno()],
                    env=environment,
                    start_new_session=True,
                )
                unfinished.callback(self.stop)
            unfinished.pop_all()

    @property
    def alive(self) -> bool:
        """
        Whether it runs.
        """
        return self._process.poll() is None

    def stop(self) -> None:
        """
        Tell it to stop and wait; what is left of its group after a few seconds is killed.
        """
        assert self._process.stdin is not None  # noqa: S101 -- a pipe, see above
        self._process.stdin.close()
        try:
            self._process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            # Not yet waited for, so the group's id is still its own.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


async def told_to_stop() -> None:
    """
    In the child: return when standard input ends, or SIGTERM or SIGINT comes.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    orders = asyncio.StreamReader()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    waiting = {asyncio.ensure_future(told.wait()), asyncio.ensure_future(orders.read())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    pipe.close()


def allow_many_sockets() -> None:
    """
    In the child: raise the limit of open files as far as it goes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listening_socket(port: int, option: str) -> socket.socket:
    """
    Return a socket that listens on 127.0.0.1, on a free port if *port* is 0.

    Raises:
        UsageError: the port is taken; the hint names the command's *option*.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as e:
        listener.close()
        raise UsageError(
            f"Port {port} on 127.0.0.1 cannot be had: {e.strerror}.", hint=f"Choose another with {option}; 0 is any."
        ) from e
    return listener
