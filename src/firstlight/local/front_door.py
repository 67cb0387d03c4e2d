"""
Starts and stops the MQTT front door of the laptop's AWS, in a process of its own, on 127.0.0.1.
"""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from firstlight.errors import DeploymentError
from firstlight.local.child import Child, listening_socket
from firstlight.local.front_door_server import READY, Orders
from firstlight.local.mqtt import trust

_STARTING = 20.0  # seconds
_LOOK = 0.02


class FrontDoorProcess:
    """
    A context manager: devices of the laptop's AWS at *endpoint_url* connect to `port`, trusting `ca_file`.

    Everything it writes is in *folder*: its CA, which is kept, `jitp.log`, a line for each device that was to be
    provisioned, and `front-door.log`, a line for each that came or was refused.
    """

    def __init__(self, folder: Path, *, endpoint_url: str, region: str, account: str, port: int = 0) -> None:
        self._folder = folder
        self._orders = Orders(str(folder), endpoint_url, region, account)
        self.port = port
        self._log = folder / "front-door.log"
        self._server: Child | None = None

    @property
    def ca_file(self) -> Path:
        """
        PEM of the CA that signed the front door's certificate.
        """
        return trust.ca_file(self._folder)

    @property
    def alive(self) -> bool:
        """
        Whether its process runs.
        """
        return self._server is not None and self._server.alive

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
        Close every connection, forget every session and retained message, and open again at the same port.
        """
        self._stop()
        self._start()

    def _start(self) -> None:
        ready = self._folder / READY
        ready.unlink(missing_ok=True)
        with listening_socket(self.port, "--mqtt-port") as listener:
            self.port = listener.getsockname()[1]
            self._server = Child(
                "firstlight.local.front_door_server",
                self._orders,
                listener=listener,
                log=self._log,
                environment=_environment(),
            )
        deadline = time.monotonic() + _STARTING
        while not ready.exists():
            if not self.alive or time.monotonic() > deadline:
                self._stop()
                raise DeploymentError("The MQTT front door did not start.", hint=f"See {self._log}.")
            time.sleep(_LOOK)

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        (self._folder / READY).unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """
    Nothing of the engineer's AWS configuration.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
