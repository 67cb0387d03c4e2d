"""
The process that is the MQTT front door of the laptop's AWS.

`python -m firstlight.local.front_door_server FD FOLDER URL REGION ACCOUNT`, started as firstlight.local.child
says.  Once devices can come there is a file `ready` in FOLDER.
"""

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from firstlight.errors import FirstlightError
from firstlight.local.aws_iot import front_door
from firstlight.local.child import allow_many_sockets, told_to_stop
from firstlight.local.control_plane import ROOT
from firstlight.local.ready_child import READY


class Orders(NamedTuple):
    """
    The command line after FD.
    """

    folder: str
    endpoint_url: str
    region: str
    account: str


def main() -> int:
    """
    Serve until told to stop; return the exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    orders = Orders(*sys.argv[2:])
    allow_many_sockets()
    settings = front_door.Settings(
        state=Path(orders.folder),
        endpoint_url=orders.endpoint_url,
        region=orders.region,
        account=orders.account,
        credentials=ROOT,
        listener=socket.socket(fileno=int(sys.argv[1])),
    )
    try:
        asyncio.run(_serve(settings))
    except FirstlightError as e:
        logging.error("%s", e)  # noqa: LOG015, TRY400 -- the log is this process's own; the sentence says it all
        return 1
    return 0


async def _serve(settings: front_door.Settings) -> None:
    await front_door.serve(settings, until=told_to_stop, ready=lambda _: (settings.state / READY).touch())
    logging.shutdown()
    # Not sys.exit: requests to AWS under way, in threads, would be waited for.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
