"""
Starts and stops the laptop's Azure, in a process of its own, on 127.0.0.1.
"""

import http.client
import json
import os
import secrets
from pathlib import Path
from typing import Any
from uuid import uuid4

from firstlight.errors import DeploymentError
from firstlight.local.azure_cloud.entra import MANAGED_IDENTITY_PATH
from firstlight.local.azure_cloud.hooks import SECRET_HEADER
from firstlight.local.azure_cloud.operator_account import Operator
from firstlight.local.azure_cloud.server import CLIENT_VARIABLE, SECRET_VARIABLE
from firstlight.local.mqtt import trust
from firstlight.local.ready_child import ReadyChild

_ASKING = 10.0  # seconds


class AzureProcess(ReadyChild):
    """
    A context manager: an empty subscription behind the proxy at `port`, trusted by those who trust `ca_file`.

    Everything it writes is in *folder*: its CA, which is kept, `azure.log`, a line for each request, and
    `azure-devices.log`, a line for each device that came, with the reason when it was refused.
    """

    def __init__(self, folder: Path, *, subscription: str, tenant: str, port: int = 0) -> None:
        self.operator = Operator(client_id=str(uuid4()), secret=secrets.token_urlsafe(24))
        self.subscription = subscription
        self.tenant = tenant
        super().__init__(
            "The laptop's Azure",
            "firstlight.local.azure_cloud.server",
            [str(folder), subscription, tenant],
            folder=folder,
            port=port,
            option="--azure-port",
            log="azure.log",
            environment=_environment(self.operator),
        )
        self.ca_file = trust.ca_file(folder)

    @property
    def proxy_url(self) -> str:
        """
        What HTTPS_PROXY is for this Azure, once started.
        """
        return f"http://127.0.0.1:{self.port}"

    def managed_identity(self, resource: str) -> dict[str, str]:
        """
        Return the variables by which a program gets tokens as the identity of the resource with the id *resource*.

        Raises:
            DeploymentError: it has none.
        """
        known = self._ask(f"/laptop/identity{resource}")
        return {
            "IDENTITY_ENDPOINT": f"{self.proxy_url}{MANAGED_IDENTITY_PATH}",
            "IDENTITY_HEADER": known["secret"],
        }

    def settings(self, resource: str) -> dict[str, str]:
        """
        Return the settings of the function app with the id *resource*.

        Raises:
            DeploymentError: there is none.
        """
        known: dict[str, str] = self._ask(f"/laptop/settings{resource}")
        return known

    def host(self, app: str, port: int) -> None:
        """
        Let what is asked of the function app *app* be answered at *port* of this machine.
        """
        self._ask(f"/laptop/host/{app}/{port}")

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
