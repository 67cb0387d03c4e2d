"""
AWS IoT's personality with everything in memory: what a test of it starts from.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from firstlight.certificates import Certificate
from firstlight.local.aws_iot.attempts import Attempt, AttemptLog
from firstlight.local.aws_iot.client import AwsClient
from firstlight.local.aws_iot.personality import AwsIot
from firstlight.local.mqtt import Client, Hello, Message, Refusal
from tests.aws_iot_memory import PLACE, MemoryAwsIot
from tests.factory import at_noon


def hello(certificate: Certificate | None, client_id: str = "device-1", **changes: Any) -> Hello:
    given: dict[str, Any] = {"server_name": "localhost", "address": "127.0.0.1", "version": 5, **changes}
    return Hello(client_id=client_id, certificate=certificate, **given)


@dataclass
class Case:
    """
    Inside `async with`, `admit` decides; `heard` is what AWS IoT itself published, and `began` that it did.
    """

    aws: MemoryAwsIot
    log_file: Path | None = None
    now: Callable[[], datetime] = at_noon
    heard: list[Message] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.log = AttemptLog(self.log_file)
        self.cloud = AwsIot(self.aws, PLACE, names=["localhost"], now=self.now, log=self.log)
        self.began = asyncio.Event()
        await self.cloud.opened(self._hear)
        return self

    def _hear(self, message: Message, _: str | None) -> None:
        self.heard.append(message)
        self.began.set()

    async def __aexit__(self, *_: object) -> None:
        await self.cloud.closed()

    async def admit(self, certificate: Certificate | None, client_id: str = "device-1", **changes: Any) -> AwsClient:
        """
        Return the client that was let in; a refusal fails the test.
        """
        decision = await self.decide(certificate, client_id, **changes)
        assert isinstance(decision, AwsClient), decision
        return decision

    async def refuse(self, certificate: Certificate | None, client_id: str = "device-1", **changes: Any) -> Refusal:
        """
        Return the refusal; letting the client in fails the test.
        """
        decision = await self.decide(certificate, client_id, **changes)
        assert isinstance(decision, Refusal), decision
        return decision

    async def decide(
        self, certificate: Certificate | None, client_id: str = "device-1", **changes: Any
    ) -> Client | Refusal:
        return await self.cloud.admit(hello(certificate, client_id, **changes))

    @property
    def latest(self) -> Attempt:
        return self.log.latest[-1]
