"""
The MQTT front door of the laptop AWS, put together.

    door = AwsFrontDoor(Settings(state=folder, endpoint_url=url, region="eu-west-1", credentials=ROOT))
    await door.start()          # in a running loop; door.port, door.ca_file, door.attempts
    await door.stop()

or, as all that a process does, `asyncio.run(serve(settings, until=…))`.  It needs the laptop AWS to answer at
`endpoint_url` from the first connect on, and nothing of it before.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.boto import Credentials
from firstlight.local.aws_iot.attempts import Attempt, AttemptLog
from firstlight.local.aws_iot.boto_registry import BotoRegistry
from firstlight.local.aws_iot.boto_rules import BotoRules
from firstlight.local.aws_iot.personality import AwsIot
from firstlight.local.aws_iot.recall import Recall
from firstlight.local.aws_iot.topic_rules import TopicRules
from firstlight.local.mqtt import FrontDoor, Journal, Message
from firstlight.local.mqtt.journal import to_log
from firstlight.local.mqtt.trust import ca_file, endpoint_context
from firstlight.policies.place import Place

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    *state* is a folder of the front door's own: its CA and `jitp.log` are there.  Times in seconds.

    `names` are the host names devices may ask for, beside localhost; `port` 0 is any free one, and `listener`,
    a socket that listens already, takes the place of `host` and `port`.
    """

    state: Path
    endpoint_url: str
    region: str
    # of somebody who may do everything there: AWS IoT itself needs nobody's permission
    credentials: Credentials
    account: str = "123456789012"
    host: str = "127.0.0.1"
    port: int = 8883
    listener: socket.socket | None = None
    names: tuple[str, ...] = ()
    # how soon a revoked certificate or a changed policy is noticed on a connection that is open
    recheck: float = 5.0
    # how long CAs, templates, roles and policies are remembered
    remember: float = 2.0


class AwsFrontDoor:
    """
    Raises, on being made:
        UsageError: the state folder cannot be used.
    """

    def __init__(
        self, settings: Settings, *, journal: Journal = to_log, heard: Callable[[Message], None] | None = None
    ) -> None:
        place = Place(settings.account, settings.region)
        names = (*LOOPBACK, *settings.names)
        context = endpoint_context(settings.state, names, datetime.now(UTC))
        self.ca_file = ca_file(settings.state)
        aws: dict[str, Any] = {"endpoint_url": settings.endpoint_url, "credentials": settings.credentials}
        recall = Recall(settings.remember, time.monotonic)
        self._registry = BotoRegistry(place, **aws, recall=recall)
        self._rules = TopicRules(BotoRules(place, self._registry.iot, **aws, recall=recall))
        self._log = AttemptLog(settings.state / "jitp.log")
        cloud = AwsIot(
            self._registry,
            place,
            names=names,
            now=lambda: datetime.now(UTC),
            log=self._log,
            heard=heard,
            rules=self._rules.heard,
        )
        self._door = FrontDoor(
            cloud,
            context,
            host=settings.host,
            port=settings.port,
            listener=settings.listener,
            recheck=settings.recheck,
            journal=journal,
        )

    @property
    def port(self) -> int:
        return self._door.port

    @property
    def connections(self) -> int:
        return self._door.connections

    @property
    def log_file(self) -> Path | None:
        """
        The log of JITP runs, a line each.
        """
        return self._log.path

    @property
    def attempts(self) -> Sequence[Attempt]:
        """
        The latest JITP runs, oldest first.
        """
        return tuple(self._log.latest)

    async def start(self) -> None:
        """
        Raises:
            DeploymentError: the port cannot be had.
        """
        await self._door.start()

    async def stop(self) -> None:
        """
        Let runs under way end, close every connection.
        """
        await self._door.stop()
        await asyncio.to_thread(self._rules.close)
        self._registry.close()

    def publish(self, message: Message, only: str | None = None) -> None:
        """
        Publish as AWS IoT itself.
        """
        self._door.publish(message, only)


async def serve(
    settings: Settings, *, until: Callable[[], Awaitable[None]], ready: Callable[[AwsFrontDoor], None] = lambda _: None
) -> None:
    """
    Be the front door until *until* returns; *ready* is called once devices can come.

    Raises:
        UsageError, DeploymentError: it cannot begin.
    """
    door = AwsFrontDoor(settings)
    await door.start()
    try:
        ready(door)
        await until()
    finally:
        await door.stop()
