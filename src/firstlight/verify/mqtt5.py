"""
A connection in MQTT 5.
"""

import asyncio
from typing import Any

from awscrt import mqtt5

from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason, harmless
from firstlight.verify.sdk import Link, after_connack, before_connack
from firstlight.verify.session import SdkSession, settle

_FAILURE = 0x80
_NOT_AUTHORIZED = 0x87
# The SDK connects again by itself; we count attempts, so it must not get to it (ms).
_NEVER = 3_600_000
_AS_AWS = mqtt5.ExtendedValidationAndFlowControlOptions.AWS_IOT_CORE_DEFAULTS


class Mqtt5Session(SdkSession):
    """
    One connection of the SDK's MQTT 5 client.
    """

    def __init__(self, link: Link, client_id: str, answer: float) -> None:
        super().__init__(answer)
        self._opened: asyncio.Future[SessionError | None] = self._loop.create_future()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._client: Any = mqtt5.Client(
            mqtt5.ClientOptions(
                host_name=link.endpoint,
                port=link.port,
                bootstrap=link.bootstrap,
                tls_ctx=link.tls,
                connect_options=mqtt5.ConnectPacket(client_id=client_id, keep_alive_interval_sec=60),
                session_behavior=mqtt5.ClientSessionBehaviorType.CLEAN,
                extended_validation_and_flow_control_options=_AS_AWS,
                offline_queue_behavior=mqtt5.ClientOperationQueueBehaviorType.FAIL_ALL_ON_DISCONNECT,
                min_reconnect_delay_ms=_NEVER,
                max_reconnect_delay_ms=_NEVER,
                connack_timeout_ms=int(answer * 1000),
                ack_timeout_sec=max(1, round(answer)),
                on_publish_callback_fn=self._on_publish,
                on_lifecycle_event_connection_success_fn=self._on_success,
                on_lifecycle_event_connection_failure_fn=self._on_failure,
                on_lifecycle_event_disconnection_fn=self._on_disconnection,
                on_lifecycle_event_stopped_fn=self._on_stopped,
            )
        )
        self._started = False

    async def open(self) -> None:
        self._started = True
        self._client.start()
        await self._settled(self._opened, "CONNACK")

    async def subscribe(self, topic: str) -> None:
        wanted = mqtt5.SubscribePacket(subscriptions=[mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)])
        suback = await self._acknowledged(
            self._client.subscribe(wanted), doing=f"on subscribing to {topic}", what="SUBACK"
        )
        _require_granted("SUBACK", suback.reason_codes[0] if suback.reason_codes else None, suback.reason_string)

    async def publish(self, topic: str, payload: bytes) -> None:
        message = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
        done = await self._acknowledged(self._client.publish(message), doing=f"on publishing to {topic}", what="PUBACK")
        _require_granted("PUBACK", done.puback.reason_code, done.puback.reason_string)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._started:
            client.stop()
            await asyncio.wait({self._stopped}, timeout=self.answer)

    # Called by the SDK, on its thread.

    def _on_success(self, _: object) -> None:
        self._post(settle, self._opened, None)

    def _on_failure(self, failure: Any) -> None:
        connack = failure.connack_packet
        error = before_connack(failure.exception) if connack is None else _refusal(connack)
        self._post(settle, self._opened, error)

    def _on_disconnection(self, event: Any) -> None:
        packet = event.disconnect_packet
        if packet is None:
            error = after_connack(event.exception, "without a DISCONNECT")
        else:
            error = SessionError(f"the cloud sent {_said('DISCONNECT', packet)}", reason=Reason.CUT)
        self._post(self._cut, error)

    def _on_stopped(self, _: object) -> None:
        self._post(settle, self._stopped, None)

    def _on_publish(self, event: Any) -> None:
        self._post(self._arrived, event.publish_packet.topic, bytes(event.publish_packet.payload or b""))


def _refusal(connack: Any) -> SessionError:
    return SessionError(f"the cloud answered {_said('CONNACK', connack)}", reason=Reason.CONNACK)


def _require_granted(packet: str, code: Any, words: str | None) -> None:
    if code is not None and code < _FAILURE:
        return
    reason = Reason.NOT_AUTHORIZED if code == _NOT_AUTHORIZED else Reason.REFUSED
    raise SessionError(f"the cloud answered {_named(packet, code, words)}", reason=reason)


def _said(packet: str, content: Any) -> str:
    return _named(packet, content.reason_code, content.reason_string)


def _named(packet: str, code: Any, words: str | None) -> str:
    # a code the SDK has no name for arrives as None
    name = "an unknown code" if code is None else f"0x{int(code):02X} {code.name.lower().replace('_', ' ')}"
    return f"{packet} {name}" + (f" ({harmless(words)})" if words else "")
