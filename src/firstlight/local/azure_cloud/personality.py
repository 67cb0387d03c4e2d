"""
Azure's personality at the front door: IoT Hubs and device provisioning services, told apart by host name.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial

from firstlight.errors import SessionError
from firstlight.local.azure_cloud import device_topics, dps_devices, hub_devices, registration
from firstlight.local.azure_cloud.device_attempts import AttemptLog, DeviceAttempt
from firstlight.local.azure_cloud.dps_devices import DpsClient, Operations
from firstlight.local.azure_cloud.hub_devices import HubClient
from firstlight.local.azure_cloud.hub_messages import HubMessages
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import DPS_DOMAIN, Device, Hub, World
from firstlight.local.mqtt import Client, Dialect, Hello, Message, Publisher, Reason, Refusal
from firstlight.local.mqtt.packets import V311

# "Communicate with an IoT hub using the MQTT protocol" and "IoT Hub quotas and throttling": 256 KB for a message
# to the cloud, 50 messages waiting for a device, a keep-alive of at most 1,767 s by one and a half.
DIALECT = Dialect(
    versions=frozenset({V311}),
    max_packet=320 * 1024,
    max_payload=256 * 1024,
    max_queued=50,
    max_client_id=128,
    keep_alive=(1, 1_177),
    session_expiry=3_600,
)
_RETRY_AFTER = 3  # seconds
_NOT_FOUND = (404203, "Operation not found.")


class AzureDevices:
    """
    A `firstlight.local.mqtt.Cloud` over *world*.

    *assign_at_once* answers a registration with its end; DPS itself lets the device poll.
    """

    def __init__(
        self,
        world: World,
        messages: HubMessages,
        *,
        now: Callable[[], datetime],
        log: AttemptLog | None = None,
        assign_at_once: bool = False,
        dialect: Dialect = DIALECT,
    ) -> None:
        self.dialect = dialect
        self.log = log or AttemptLog()
        self._world = world
        self._messages = messages
        self._now = now
        self._assign_at_once = assign_at_once
        self._operations = Operations()
        self._watched: list[tuple[Hub, Callable[[str, Device], None]]] = []
        self._unwelcome: set[str] = set()

    async def opened(self, publish: Publisher) -> None:
        self._publish = publish
        self._messages.open(publish)
        self._world.call_method = self._messages.invoke

    async def admit(self, hello: Hello) -> Client | Refusal:
        to_dps = hello.server_name.endswith(DPS_DOMAIN)
        try:
            client = (
                dps_devices.admit(hello, self._world) if to_dps else hub_devices.admit(hello, self._world, self._now())
            )
        except SessionError as e:
            self._log_refusal(e, "connect", hello.server_name or "(no server name)", hello)
            return Refusal(f"{e.reason}: {e}", Reason.NOT_AUTHORIZED)
        if isinstance(client, HubClient):
            self._watch(client.hub)
            self.log.add(
                DeviceAttempt(
                    at=self._now(),
                    what="connect",
                    service=client.hub.host,
                    device=client.device_id,
                    certificate=hello.certificate,
                )
            )
        return client

    def arrived(self, client: Client) -> None:
        if isinstance(client, HubClient):
            self._unwelcome.discard(client.session)
            self._messages.arrived(client)

    def left(self, client: Client) -> None:
        if isinstance(client, HubClient):
            self._messages.left(client)

    async def no_longer_welcome(self, clients: Collection[Client]) -> Iterable[Client]:
        gone = [c for c in clients if isinstance(c, HubClient) and not self._is_welcome(c)]
        self._unwelcome.difference_update(client.session for client in gone)
        return gone

    def published(self, client: Client, message: Message) -> bool:
        if isinstance(client, HubClient):
            self._messages.said(client, message)
        elif isinstance(client, DpsClient):
            answer = self._answer(client, message.topic)
            # after the acknowledgement of the request
            asyncio.get_running_loop().call_soon(self._publish, answer, client.session)
        # no device ever hears another
        return True

    async def closed(self) -> None:
        self._world.call_method = None
        self._messages.close()
        for hub, listener in self._watched:
            hub.listeners.remove(listener)
        self._watched.clear()
        self.log.close()

    def _answer(self, client: DpsClient, topic: str) -> Message:
        request = device_topics.dps_request(topic)
        if request is None:
            raise ValueError(f"{topic!r} was let through and is no request.")
        if request.what == "register":
            return self._register(client, request.request_id)
        ended = self._operations.ended(client, request.operation_id)
        if ended is None:
            status, body = dps_devices.problem(*_NOT_FOUND, self._now())
            return Message(device_topics.dps_answer(status, request.request_id), body)
        return Message(device_topics.dps_answer(200, request.request_id), json.dumps(ended).encode())

    def _register(self, client: DpsClient, request_id: str) -> Message:
        claim, now = client.claim, self._now()
        try:
            assignment, substatus = registration.register(claim, client.dps, self._world, now)
        except SessionError as e:
            self._log_refusal(e, "register", client.dps.host, client)
            if e.reason != Why.NO_HUB:
                status, body = dps_devices.refusal(e, now)
                return Message(device_topics.dps_answer(status, request_id), body)
            result = dps_devices.no_hub(claim.registration_id, e, now)
        else:
            self.log.add(
                DeviceAttempt(
                    at=now,
                    what="register",
                    service=client.dps.host,
                    device=claim.registration_id,
                    certificate=claim.certificate,
                    result=f"{assignment.device_id} in {assignment.hub_host} by {assignment.enrollment}",
                )
            )
            result = dps_devices.assigned(assignment, substatus, now)
        operation_id = self._operations.begin(client, result)
        if self._assign_at_once:
            ended = self._operations.ended(client, operation_id)
            return Message(device_topics.dps_answer(200, request_id), json.dumps(ended).encode())
        begun = json.dumps({"operationId": operation_id, "status": "assigning"}).encode()
        return Message(device_topics.dps_answer(202, request_id, _RETRY_AFTER), begun)

    def _log_refusal(self, error: SessionError, what: str, service: str, who: Hello | DpsClient) -> None:
        device, certificate = (
            (who.client_id, who.certificate)
            if isinstance(who, Hello)
            else (who.claim.registration_id, who.claim.certificate)
        )
        self.log.add(
            DeviceAttempt.refused(
                error, at=self._now(), what=what, service=service, device=device, certificate=certificate
            )
        )

    def _watch(self, hub: Hub) -> None:
        if not any(watched is hub for watched, _ in self._watched):
            listener = partial(self._changed, hub)
            hub.listeners.append(listener)
            self._watched.append((hub, listener))

    def _changed(self, hub: Hub, what: str, device: Device) -> None:
        if what == "desired":
            self._messages.desired_changed(hub, device)
        else:
            self._unwelcome.add(f"{hub.host}/{device.id}")

    def _is_welcome(self, client: HubClient) -> bool:
        device = client.device
        return (
            device is not None
            and device.enabled
            and client.session not in self._unwelcome
            and self._world.hub_at(client.hub.host) is client.hub
        )
