"""
One connection of one device to an IoT Hub, with the vendor's SDK.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from azure.iot.device import IoTHubDeviceClient, Message, MethodRequest, MethodResponse

from firstlight.verify.azure_sdk import in_thread, on_disk, options, translated, unusable
from firstlight.verify.azure_target import AzureTarget, Papers

_CLOSING = 5.0


class HubSession:
    """
    One connection, used once; everything but `close` raises SessionError.  *seconds* is what an answer may take.
    """

    def __init__(self, target: AzureTarget, *, hub: str, device_id: str, papers: Papers, seconds: float) -> None:
        self.hub, self.device_id = hub, device_id
        self._target, self._papers = target, papers
        self._seconds = seconds
        self._online = False
        self._made: IoTHubDeviceClient | None = None

    @property
    def _client(self) -> IoTHubDeviceClient:
        if self._made is None:
            raise AssertionError("open comes first")
        return self._made

    async def open(self) -> None:
        """
        Raises:
            UsageError: the SDK cannot use the certificate, key or CA.
        """
        # on a thread: it waits for the SDK's only one, which may be connecting somebody else
        self._made = await in_thread(self._make, seconds=self._seconds)
        await self._do(self._client.connect, what="CONNACK")
        self._online = True

    def _make(self) -> IoTHubDeviceClient:
        with on_disk(self._papers) as x509:
            try:
                return IoTHubDeviceClient.create_from_x509_certificate(
                    x509=x509,
                    hostname=self.hub,
                    device_id=self.device_id,
                    auto_connect=False,
                    connection_retry=False,
                    ensure_desired_properties=False,
                    **options(self._target),
                )
            except (OSError, ValueError) as e:
                raise unusable(e) from e

    async def send(self, payload: bytes) -> None:
        """
        Send one message to the cloud, acknowledged by it.
        """
        message = Message(payload.decode("utf-8"), None, "utf-8", "application/json")  # type: ignore[no-untyped-call]
        await self._do(self._client.send_message, message, what="PUBACK")

    async def twin(self) -> dict[str, Any]:
        """
        Return the twin, `desired` and `reported`.
        """
        twin: dict[str, Any] = await self._do(self._client.get_twin, what="twin")
        return twin

    async def report(self, properties: dict[str, Any]) -> None:
        """
        Patch the twin's reported properties.
        """
        await self._do(self._client.patch_twin_reported_properties, properties, what="answer to the patch")

    async def listen(self) -> "asyncio.Queue[bytes]":
        """
        Return where the messages from the cloud will be.
        """
        loop, messages = asyncio.get_running_loop(), asyncio.Queue[bytes]()

        def heard(message: Message) -> None:
            data = message.data if isinstance(message.data, bytes) else str(message.data).encode()
            loop.call_soon_threadsafe(messages.put_nowait, data)

        await self._do(setattr, self._client, "on_message_received", heard, what="SUBACK")
        return messages

    async def answer_methods(self, answer: Callable[[str, Any], Any]) -> None:
        """
        Answer every direct method from now on with what *answer* makes of its name and payload.
        """

        def called(request: MethodRequest) -> None:
            reply = answer(request.name, request.payload)
            self._client.send_method_response(MethodResponse.create_from_method_request(request, 200, reply))

        await self._do(setattr, self._client, "on_method_request_received", called, what="SUBACK")

    async def close(self) -> None:
        """
        Disconnect; nothing of the SDK's threads for this device is left.  Never raises.
        """
        if self._made is None:
            return
        with contextlib.suppress(Exception):  # it is gone either way, and what failed before says why
            await in_thread(self._client.shutdown, seconds=_CLOSING)

    async def _do(self, work: Callable[..., Any], *arguments: Any, what: str) -> Any:
        try:
            return await in_thread(work, *arguments, seconds=self._seconds, what=what)
        except Exception as e:  # whatever the SDK raises is translated
            raise translated(e, at="the hub", online=self._online) from e
