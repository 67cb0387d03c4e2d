"""
Starts and stops a server of ours that says when it is ready, in a process of its own, on 127.0.0.1.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from firstlight.errors import DeploymentError
from firstlight.local.child import Child, listening_socket

READY = "ready"
_STARTING = 20.0  # seconds
_LOOK = 0.02


class ReadyChild:
    """
    A context manager around `python -m MODULE FD ARGUMENTS…`, which listens on `port` (0 is any free one; *option* is
    how a command chooses it) and makes a file `ready` in *folder* once it answers.  *name* is what sentences call it.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        port: int,
        option: str,
        log: str,
        environment: Mapping[str, str],
    ) -> None:
        self.port = port
        self._name = name
        self._module = module
        self._arguments = arguments
        self._folder = folder
        self._option = option
        self._log = folder / log
        self._environment = dict(environment)
        self._server: Child | None = None

    @property
    def alive(self) -> bool:
        """
        Whether its process runs.
        """
        return self._server is not None and self._server.alive

    @property
    def ready(self) -> Path:
        """
        The file that is there while it answers.
        """
        return self._folder / READY

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def restart(self) -> None:
        """
        Close every connection, forget everything in memory, and open again at the same port.
        """
        self._stop()
        self._start()

    def _start(self) -> None:
        self.ready.unlink(missing_ok=True)
        with listening_socket(self.port, self._option) as listener:
            self.port = listener.getsockname()[1]
            self._server = Child(
                self._module, self._arguments, listener=listener, log=self._log, environment=self._environment
            )
        try:
            self._wait()
        except BaseException:  # also when interrupted: a context that was not entered is not left
            self._stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + _STARTING
        while not self.ready.exists():
            if not self.alive or time.monotonic() > deadline:
                raise DeploymentError(f"{self._name} did not start.", hint=f"See {self._log}.")
            time.sleep(_LOOK)

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        self.ready.unlink(missing_ok=True)
