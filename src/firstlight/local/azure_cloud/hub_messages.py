"""
Messages through the laptop's IoT Hubs: telemetry up, messages down, twins, direct methods.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from firstlight.errors import SessionError
from firstlight.local.azure_cloud import device_topics, twins
from firstlight.local.azure_cloud.device_topics import Request
from firstlight.local.azure_cloud.hub_devices import HubClient
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import Device, Hub
from firstlight.local.mqtt import Message, Publisher

_KEPT = 10_000
# "Cloud-to-device messages", IoT Hub quotas: pending for each device
_MAX_PENDING = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """
    A message from a device; `properties` hold the system's (`$.ct`, `$.mid`, …) beside the device's own.
    """

    hub: str
    device_id: str
    payload: bytes
    properties: Mapping[str, str]
    at: datetime


class HubMessages:
    """
    `inbox` has the latest telemetry of all hubs, the oldest first; *heard* is told each as it comes.
    """

    def __init__(self, now: Callable[[], datetime], heard: Callable[[Telemetry], None] | None = None) -> None:
        self.inbox: deque[Telemetry] = deque(maxlen=_KEPT)
        self._now = now
        self._heard = heard
        self._publish: Publisher = lambda _message, _only: False
        self._present: dict[str, HubClient] = {}
        self._pending: dict[str, deque[Message]] = {}
        self._asked: dict[tuple[str, str], asyncio.Future[tuple[int, Any]]] = {}
        self._request_ids = count(1)

    def open(self, publish: Publisher) -> None:
        self._publish = publish

    def close(self) -> None:
        for future in self._asked.values():
            future.cancel()

    def arrived(self, client: HubClient) -> None:
        self._present[client.session] = client
        client.subscribing = self._deliver_soon
        if client.device is not None:
            client.device.connected = True
        self._deliver_soon(client)

    def left(self, client: HubClient) -> None:
        if self._present.get(client.session) is not client:
            return
        del self._present[client.session]
        if client.device is not None:
            client.device.connected = False

    def said(self, client: HubClient, message: Message) -> None:
        """
        Take a message that *client* may publish.
        """
        request = device_topics.hub_request(message.topic)
        if request is None:
            self._keep(client, message)
        elif request.what == "answer":
            self._answered(client, request, message.payload)
        elif client.device is not None:
            # after the acknowledgement of the request
            answer = _twin(client.device, request, message.payload)
            asyncio.get_running_loop().call_soon(self._publish, answer, client.session)

    def desired_changed(self, hub: Hub, device: Device) -> None:
        """
        Tell *device*, if it is there and wants to know, what was changed of its desired properties.
        """
        topic = device_topics.desired(device.twin.desired_version)
        self._publish(Message(topic, twins.changed(device.twin)), f"{hub.host}/{device.id}")

    def send(self, hub: Hub, device_id: str, payload: bytes, properties: Mapping[str, str]) -> None:
        """
        Send a message to a device; it waits for one that is not there.

        Raises:
            SessionError: the device is not registered, or has 50 waiting already.
        """
        if device_id not in hub.devices:
            raise SessionError(f"Device {device_id!r} is not registered in {hub.host}.", reason=Why.UNKNOWN)
        given = {"$.to": f"/devices/{device_id}/messages/devicebound", **properties}
        message, session = Message(device_topics.to_device(device_id, given), payload, qos=1), f"{hub.host}/{device_id}"
        if self._publish(message, session):
            return
        waiting = self._pending.setdefault(session, deque())
        if len(waiting) >= _MAX_PENDING:
            raise SessionError(f"Device {device_id!r} has {_MAX_PENDING} messages waiting.", reason=Why.QUEUE_FULL)
        waiting.append(message)

    async def invoke(self, hub: Hub, device: Device, name: str, payload: Any, timeout: float) -> tuple[int, Any]:  # noqa: ASYNC109 -- the API's own
        """
        Call a direct method; return the device's status and payload.  *timeout* in seconds.

        Raises:
            TimeoutError: the device is not there, listens to no methods, or does not answer in time.
        """
        session, request_id = f"{hub.host}/{device.id}", format(next(self._request_ids), "x")
        message = Message(device_topics.method(name, request_id), json.dumps(payload).encode())
        if session not in self._present or not self._publish(message, session):
            raise TimeoutError(f"Device {device.id!r} is not connected, or listens to no direct methods.")
        answered: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()
        self._asked[session, request_id] = answered
        try:
            async with asyncio.timeout(timeout):
                return await answered
        finally:
            del self._asked[session, request_id]

    def _keep(self, client: HubClient, message: Message) -> None:
        properties = dict(device_topics.telemetry(client.device_id, message.topic) or {})
        if message.retain:
            # "IoT Hub does not persist retain messages": it only says that there was one
            properties["mqtt-retain"] = "true"
        telemetry = Telemetry(
            hub=client.hub.host,
            device_id=client.device_id,
            payload=message.payload,
            properties=properties,
            at=self._now(),
        )
        self.inbox.append(telemetry)
        if self._heard is not None:
            self._heard(telemetry)

    def _answered(self, client: HubClient, request: Request, payload: bytes) -> None:
        future = self._asked.get((client.session, request.request_id))
        if future is not None and not future.done():
            future.set_result((request.status, _json_or_text(payload)))

    def _deliver_soon(self, client: HubClient) -> None:
        # once the subscription is one
        if client.session in self._pending:
            asyncio.get_running_loop().call_soon(partial(self._deliver, client.session))

    def _deliver(self, session: str) -> None:
        waiting = self._pending.pop(session, deque())
        while waiting and self._publish(waiting[0], session):
            waiting.popleft()
        if waiting:
            self._pending[session] = waiting


def _twin(device: Device, request: Request, payload: bytes) -> Message:
    if request.what == "twin":
        return Message(device_topics.twin_answer(200, request.request_id), twins.read(device.twin))
    version = twins.report(device.twin, payload)
    if version is None:
        return Message(device_topics.twin_answer(400, request.request_id), b"")
    return Message(device_topics.twin_answer(204, request.request_id, version), b"")


def _json_or_text(payload: bytes) -> Any:
    try:
        return json.loads(payload) if payload else None
    except ValueError:
        return payload.decode("utf-8", "replace")
