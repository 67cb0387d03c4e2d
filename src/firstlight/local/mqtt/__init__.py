"""
What a laptop cloud's device endpoint shares whichever cloud it is: TLS, MQTT 3.1.1 and 5, sessions, delivery.

    front_door = FrontDoor(cloud, server_context(chain, key), port=0)
    await front_door.start()
    front_door.port
    await front_door.stop()

The cloud is a `Cloud` (see `cloud.py`): it admits or refuses at CONNECT and says what each client may do.
"""

from firstlight.local.mqtt.cloud import Client, Cloud, Dialect, Hello, Message, Publisher, Refusal
from firstlight.local.mqtt.front_door import FrontDoor
from firstlight.local.mqtt.journal import Happening, Journal
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.tls import server_context

__all__ = [
    "Client",
    "Cloud",
    "Dialect",
    "FrontDoor",
    "Happening",
    "Hello",
    "Journal",
    "Message",
    "Publisher",
    "Reason",
    "Refusal",
    "server_context",
]
