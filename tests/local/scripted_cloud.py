"""
A front door whose cloud does what a test tells it: every refusal, cut and silence on demand.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import pki
from firstlight.local.mqtt.cloud import Client, Dialect, Hello, Message, Publisher, Refusal
from firstlight.local.mqtt.front_door import FrontDoor
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.tls import server_context
from firstlight.verify.target import Target
from tests.factory import Factory

NAME = "dev-1"


@dataclass(frozen=True)
class _Device:
    cloud: "ScriptedCloud"
    name: str

    @property
    def session(self) -> str:
        return self.name

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:
        del retain
        return self.cloud.act(self.name, topic)

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        return self.cloud.act(self.name, topic_filter)

    def may_receive(self, topic: str) -> bool:
        del topic
        return self.cloud.delivers


def own_only(client_id: str, topic: str) -> Reason:
    """
    The policy every device should have.
    """
    return Reason.SUCCESS if topic.startswith(f"firstlight/{client_id}/") else Reason.NOT_AUTHORIZED


def its_name_only(client_id: str, attempt: int) -> Refusal | None:
    """
    Let the device in under its own name, the first time too.
    """
    del attempt
    return None if client_id == NAME else Refusal("not its name")


@dataclass
class ScriptedCloud:
    """
    *connect* hears the client id and how many times it has come; *act* hears the client id and the topic.
    """

    connect: Callable[[str, int], Refusal | None] = its_name_only
    act: Callable[[str, str], Reason] = own_only
    delivers: bool = True
    dialect: Dialect = field(default_factory=Dialect)
    hellos: list[Hello] = field(default_factory=list)

    async def opened(self, publish: Publisher) -> None:
        pass

    async def admit(self, hello: Hello) -> Client | Refusal:
        self.hellos.append(hello)
        attempt = sum(h.client_id == hello.client_id for h in self.hellos)
        return self.connect(hello.client_id, attempt) or _Device(self, hello.client_id)

    def arrived(self, client: object) -> None:
        pass

    def left(self, client: object) -> None:
        pass

    async def no_longer_welcome(self, clients: Collection[Client]) -> Iterable[Client]:
        del clients
        return ()

    def published(self, client: Client, message: Message) -> bool:
        del client, message
        return False

    async def closed(self) -> None:
        pass


class Bench:
    """
    A device maker and a server, with the certificates of both.
    """

    def __init__(self, *, server_name: str = "localhost", issued: datetime | None = None) -> None:
        now = datetime.now(UTC)
        self.maker = Factory(now=now)
        self.server = Factory("Test Server CA", now=issued or now)
        self.certificate, self.server_key = pki.server_certificate(
            [server_name], ca=self.server.ca, ca_key=self.server.key, now=issued or now
        )

    @asynccontextmanager
    async def open(self, cloud: ScriptedCloud) -> AsyncIterator[Target]:
        """
        Open the door; yield a new device's target.
        """
        door = FrontDoor(cloud, server_context([self.certificate], self.server_key), port=0)
        await door.start()
        try:
            yield self.target(door.port)
        finally:
            await door.stop()

    def target(self, port: int, client_id: str = NAME) -> Target:
        certificate, key = self.maker.device()
        return Target(
            endpoint="localhost",
            port=port,
            cert_pem=certificate.pem.encode(),
            key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            client_id=client_id,
            ca_pem=self.server.ca.pem.encode(),
        )
