"""
Starts and stops the MQTT front door of the laptop's AWS, in a process of its own, on 127.0.0.1.
"""

import os
from pathlib import Path

from firstlight.local.front_door_server import Orders
from firstlight.local.mqtt import trust
from firstlight.local.ready_child import ReadyChild


class FrontDoorProcess(ReadyChild):
    """
    A context manager: devices of the laptop's AWS at *endpoint_url* connect to `port`, trusting `ca_file`.

    Everything it writes is in *folder*: its CA, which is kept, `jitp.log`, a line for each device that was to be
    provisioned, and `front-door.log`, a line for each that came or was refused.
    """

    def __init__(self, folder: Path, *, endpoint_url: str, region: str, account: str, port: int = 0) -> None:
        super().__init__(
            "The MQTT front door",
            "firstlight.local.front_door_server",
            Orders(str(folder), endpoint_url, region, account),
            folder=folder,
            port=port,
            option="--mqtt-port",
            log="front-door.log",
            environment=_environment(),
        )
        # PEM of the CA that signed the front door's certificate.
        self.ca_file = trust.ca_file(folder)


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
