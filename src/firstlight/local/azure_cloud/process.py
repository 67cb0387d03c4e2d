"""
Starts and stops the laptop's Azure, in a process of its own, on 127.0.0.1.
"""

import http.client
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from firstlight.errors import DeploymentError
from firstlight.local.azure_cloud.entra import MANAGED_IDENTITY_PATH
from firstlight.local.azure_cloud.hooks import SECRET_HEADER
from firstlight.local.azure_cloud.seed import Operator, Seed
from firstlight.local.azure_cloud.server import CLIENT_VARIABLE, SECRET_VARIABLE, SEED
from firstlight.local.mqtt import trust
from firstlight.local.ready_child import ReadyChild

_ASKING = 10.0  # seconds


class AzureProcess(ReadyChild):
    """
    A context manager: what *seed* says, behind the proxy at `port`, trusted by `ca_file`.

    Everything it writes is in *folder*: its CA, which is kept, `azure.log`, a line for each request, and
    `azure-devices.log`, a line for each device that came, with the reason when it was refused.
    """

    def __init__(self, folder: Path, seed: Seed, *, port: int = 0) -> None:
        self.operator = Operator(client_id=str(uuid4()), secret=secrets.token_urlsafe(24))
        self.seed = seed
        super().__init__(
            "The laptop's Azure",
            "firstlight.local.azure_cloud.server",
            [str(folder)],
            folder=folder,
            port=port,
            option="--azure-port",
            log="azure.log",
            environment=_environment(self.operator),
        )
        self._state = folder
        self.ca_file = trust.ca_file(folder)

    def __enter__(self) -> Self:
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._state / SEED).write_text(json.dumps(self.seed.to_json()), "utf-8")
        return super().__enter__()

    @property
    def outputs(self) -> dict[str, str]:
        """
        The outputs of the template, while it runs.
        """
        found: dict[str, str] = json.loads(self.ready.read_text("utf-8"))["outputs"]
        return found

    def managed_identity(self, resource: str) -> Mapping[str, str]:
        """
        Return the variables by which a program gets tokens as the identity of the resource with the id *resource*.

        Raises:
            DeploymentError: it has none.
        """
        known = self._ask(f"/laptop/identity{resource}")
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.port}{MANAGED_IDENTITY_PATH}",
            "IDENTITY_HEADER": known["secret"],
        }

    def _ask(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ASKING)
        try:
            connection.request("GET", path, headers={SECRET_HEADER: self.operator.secret})
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise DeploymentError(f"The laptop's Azure refused {path}: {body['message']}")
        return body


def _environment(operator: Operator) -> dict[str, str]:
    """
    Nothing of the engineer's Azure configuration.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        CLIENT_VARIABLE: operator.client_id,
        SECRET_VARIABLE: operator.secret,
    }
