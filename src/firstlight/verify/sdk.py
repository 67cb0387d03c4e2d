"""
The AWS device SDK's event loop, TLS and errors; with mqtt5.py and mqtt311.py all there is of it.
"""

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientBootstrap, ClientTlsContext, DefaultHostResolver, EventLoopGroup, TlsContextOptions

from firstlight.errors import SessionError, UsageError
from firstlight.verify.reasons import Reason, closed
from firstlight.verify.target import Target

# Seconds to wait for the SDK's thread to end; it ends in milliseconds, unless a connection hangs in TLS
# (then within half a minute, by itself).
_SHUTDOWN = 3.0

_REASONS = (
    ("AWS_IO_DNS_", Reason.NAME),
    ("AWS_IO_SOCKET_CONNECTION_REFUSED", Reason.PORT),
    ("AWS_IO_SOCKET_TIMEOUT", Reason.UNREACHABLE),
    ("AWS_IO_SOCKET_NO_ROUTE_TO_HOST", Reason.UNREACHABLE),
    ("AWS_IO_SOCKET_NETWORK_DOWN", Reason.UNREACHABLE),
    ("AWS_IO_TLS_NEGOTIATION_TIMEOUT", Reason.NOT_TLS),
    ("AWS_IO_TLS_", Reason.TLS),
    ("AWS_ERROR_MQTT5_CONNACK_TIMEOUT", Reason.NO_ANSWER),
    ("AWS_ERROR_MQTT_TIMEOUT", Reason.NO_ANSWER),
    ("AWS_ERROR_MQTT_ACK_TIMEOUT", Reason.NO_ANSWER),
)
_HANG_UPS = frozenset({"AWS_ERROR_MQTT_UNEXPECTED_HANGUP", "AWS_IO_SOCKET_CLOSED", "AWS_IO_BROKEN_PIPE"})
# What the SDK says of an operation whose connection went; why it went comes separately.
_WENT_ALONG = frozenset(
    {"AWS_ERROR_MQTT5_OPERATION_FAILED_DUE_TO_OFFLINE_QUEUE_POLICY", "AWS_ERROR_MQTT_CANCELLED_FOR_CLEAN_SESSION"}
)


@dataclass(frozen=True, slots=True)
class Link:
    """
    Everything a connection of one target needs from the SDK; connections share it.
    """

    sdk: "DeviceSdk"
    tls: Any
    endpoint: str
    port: int

    @property
    def bootstrap(self) -> Any:
        """
        How the SDK makes connections.  It belongs to the SDK's block, whoever holds a link.
        """
        return self.sdk.bootstrap


class DeviceSdk:
    """
    One event loop of the SDK, on one thread for all devices, gone when the block ends.
    """

    async def __aenter__(self) -> Self:
        group = EventLoopGroup(1)
        self.bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
        self._gone = (self.bootstrap.shutdown_event, group.shutdown_event)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the SDK frees what Python no longer refers to, and says so
        del self.bootstrap
        await asyncio.to_thread(self._wait_until_gone)

    def _wait_until_gone(self) -> None:
        until = time.monotonic() + _SHUTDOWN
        for event in self._gone:
            event.wait(max(0.0, until - time.monotonic()))

    def link(self, target: Target) -> Link:
        """
        Raises:
            UsageError: the SDK cannot use the target's certificate, key or CA.
        """
        options = TlsContextOptions.create_client_with_mtls(target.cert_pem, target.key_pem)
        if target.ca_pem is not None:
            options.override_default_trust_store(target.ca_pem)
        options.alpn_list = target.protocols or None
        try:
            tls = ClientTlsContext(options)
        except RuntimeError as e:  # the SDK's native part has no error of its own here
            raise UsageError(f"The device SDK cannot use this certificate, key or CA: {e}.") from e
        return Link(self, tls, target.endpoint, target.port)


def before_connack(error: BaseException) -> SessionError:
    """
    Return what the SDK's *error* of a connect means.
    """
    if isinstance(error, AwsCrtError) and error.name in _HANG_UPS:
        return closed()
    return _translated(error)


def after_connack(error: BaseException, doing: str) -> SessionError:
    """
    Return what the SDK's *error* means once connected, while *doing* something.
    """
    if went_along(error) or (isinstance(error, AwsCrtError) and error.name in _HANG_UPS):
        return SessionError(f"the cloud closed the connection {doing}", reason=Reason.CUT)
    return _translated(error)


def went_along(error: BaseException) -> bool:
    """
    Whether an operation failed only because its connection went.
    """
    return isinstance(error, AwsCrtError) and error.name in _WENT_ALONG


def _translated(error: BaseException) -> SessionError:
    if not isinstance(error, AwsCrtError):
        return SessionError(f"the device SDK failed: {error}", reason=Reason.SDK)
    for beginning, reason in _REASONS:
        if error.name.startswith(beginning):
            return SessionError(f"{error.message.rstrip('.')} ({error.name})", reason=reason)
    return SessionError(f"{error.message.rstrip('.')} ({error.name})", reason=Reason.SDK)
