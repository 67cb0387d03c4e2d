"""
Starts and stops the laptop's AWS control plane: ministack, in a process of its own, on 127.0.0.1.
"""

import http.client
import os
import shutil
import time
from contextlib import suppress
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from firstlight.boto import Credentials
from firstlight.errors import DeploymentError, UsageError
from firstlight.local.child import Child, listening_socket

ACCOUNT = "123456789012"
# ministack's root user.  It opens nothing but this laptop's AWS.
ROOT = Credentials("test", "test")
DEVICE_HOST = "localhost"

_STARTING = 30.0  # seconds


class ControlPlane:
    """
    A context manager: IAM, CloudFormation, S3, Lambda, API Gateway, IoT at `endpoint_url`.

    IAM is enforced.  Everything it writes stays below *folder*; its log is `folder/aws.log`.  With
    *port* 0 a free one is taken.
    """

    def __init__(self, folder: Path, *, region: str, account: str = ACCOUNT, port: int = 0) -> None:
        self.region = region
        self.account = account
        self.credentials = ROOT
        self._folder = folder
        self._temporary = folder / "tmp"
        self._port = port
        self._server: Child | None = None

    @property
    def port(self) -> int:
        """
        The TCP port on 127.0.0.1, once started.
        """
        return self._port

    @property
    def endpoint_url(self) -> str:
        """
        What AWS_ENDPOINT_URL is for this AWS, once started.
        """
        return f"http://127.0.0.1:{self._port}"

    @property
    def log_file(self) -> Path:
        """
        Where ministack logs to.
        """
        return self._folder / "aws.log"

    @property
    def alive(self) -> bool:
        """
        Whether its process runs.
        """
        return self._server is not None and self._server.alive

    def __enter__(self) -> Self:
        if find_spec("ministack") is None:
            raise UsageError("The laptop's AWS needs ministack.", hint="pip install 'firstlight[laptop]'")
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(parents=True, mode=0o700)
        with listening_socket(self._port, "--port") as listener:
            self._port = listener.getsockname()[1]
            self._server = Child(
                "firstlight.local.aws_server",
                [DEVICE_HOST],
                listener=listener,
                log=self.log_file,
                environment=_environment(self._temporary, self),
            )
        try:
            self._wait_until_ready()
        except BaseException:  # also when interrupted: a context that was not entered is not left
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def wipe(self) -> None:
        """
        Forget everything: stacks, devices, roles.
        """
        if self._request("POST", "/_ministack/reset", timeout=_STARTING) != HTTPStatus.OK:
            raise DeploymentError("The laptop's AWS did not reset.", hint=f"See {self.log_file}.")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _STARTING
        while time.monotonic() < deadline:
            # The socket listens already, so one request waits for the server behind it.
            with suppress(OSError, http.client.HTTPException):
                if self._request("GET", "/_ministack/health", timeout=deadline - time.monotonic()) == HTTPStatus.OK:
                    return
            if not self.alive:
                break
        raise DeploymentError("The laptop's AWS did not start.", hint=f"See {self.log_file}.")

    def _request(self, method: str, path: str, *, timeout: float) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=max(timeout, 0.1))
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        shutil.rmtree(self._temporary, ignore_errors=True)


def _environment(temporary: Path, aws: ControlPlane) -> dict[str, str]:
    """
    Nothing is inherited but the way to programs: Lambdas run unsandboxed and must not meet real credentials.
    """
    folder = str(temporary.resolve())
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "STATE_DIR": folder,
        "S3_DATA_DIR": folder,
        "GATEWAY_PORT": str(aws.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": aws.account,
        "MINISTACK_REGION": aws.region,
        "AWS_ACCESS_KEY_ID": ROOT.access_key,
        "AWS_SECRET_ACCESS_KEY": ROOT.secret_key,
        "AUTH": "true",
        # Its broker listens on every interface and does not run JITP; the front door is ours.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # ministack tidies containers it thinks are its own; it shall find no Docker.
        "DOCKER_HOST": "unix:///dev/null",
        "LOG_LEVEL": "INFO",
    }
