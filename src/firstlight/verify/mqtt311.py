"""
A connection in MQTT 3.1.1.
"""

import asyncio
from typing import Any

from awscrt import mqtt
from awscrt.exceptions import AwsCrtError

from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason
from firstlight.verify.sdk import Link, after_connack, before_connack
from firstlight.verify.session import SdkSession

# The SDK connects again by itself, and sends again what was refused; we close first (s).
_NEVER = 3600
_PROTOCOL_ERROR = "AWS_ERROR_MQTT_PROTOCOL_ERROR"


class Mqtt311Session(SdkSession):
    """
    One connection of the SDK's MQTT 3.1.1 client.
    """

    def __init__(self, link: Link, client_id: str, answer: float) -> None:
        super().__init__(answer)
        self._closed: asyncio.Future[object] = self._loop.create_future()
        milliseconds = int(answer * 1000)
        self._connection: Any = mqtt.Connection(
            client=mqtt.Client(link.bootstrap, link.tls),
            host_name=link.endpoint,
            port=link.port,
            client_id=client_id,
            clean_session=True,
            reconnect_min_timeout_secs=_NEVER,
            reconnect_max_timeout_secs=_NEVER,
            # the SDK waits as long for CONNACK as for PINGRESP
            ping_timeout_ms=milliseconds,
            protocol_operation_timeout_ms=milliseconds,
            on_connection_interrupted=self._on_interrupted,
        )
        self._connection.on_message(self._on_message)

    async def open(self) -> None:
        value = await self._outcome(self._connection.connect(), "CONNACK")
        if isinstance(value, BaseException):
            raise _refusal(value)

    async def subscribe(self, topic: str) -> None:
        operation, _ = self._connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)
        await self._acknowledged(operation, doing=f"on subscribing to {topic}", what="SUBACK")

    async def publish(self, topic: str, payload: bytes) -> None:
        operation, _ = self._connection.publish(topic, payload, mqtt.QoS.AT_LEAST_ONCE)
        await self._acknowledged(operation, doing=f"on publishing to {topic}", what="PUBACK")

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not self._lost.done():
            self._forward(connection.disconnect(), self._closed)
        await asyncio.wait({self._closed}, timeout=self.answer)

    def _error(self, error: BaseException, doing: str) -> SessionError:
        if isinstance(error, mqtt.SubscribeError):
            return SessionError("the cloud answered SUBACK 0x80 failure", reason=Reason.NOT_AUTHORIZED)
        return super()._error(error, doing)

    # Called by the SDK, on its thread.

    def _on_interrupted(self, connection: Any, error: BaseException, **_: object) -> None:
        # only here does a disconnect keep the SDK from connecting again, and end before that would be due
        self._forward(connection.disconnect(), self._closed)
        self._post(self._cut, after_connack(error, "without a word, as MQTT 3.1.1 does"))

    def _on_message(self, topic: str, payload: bytes, **_: object) -> None:
        self._post(self._arrived, topic, bytes(payload))


def _refusal(error: BaseException) -> SessionError:
    if isinstance(error, AwsCrtError) and error.name != _PROTOCOL_ERROR:
        return before_connack(error)
    # a return code comes wrapped, or (SDK 1.31) not at all
    named = error.args[0] if error.args and isinstance(error.args[0], mqtt.ConnectReturnCode) else None
    words = f"return code {named.value} {named.name.lower().replace('_', ' ')}" if named else "a refusing return code"
    return SessionError(f"the cloud answered CONNACK with {words}", reason=Reason.CONNACK)
