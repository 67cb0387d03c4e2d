"""
IoT Hub's decision at CONNECT, and what a device that is in may say and hear.

Source: "Communicate with an IoT hub using the MQTT protocol", "Authenticate identities with X.509 certificates".
"""

from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives import hashes

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.azure_cloud import chains, device_topics
from firstlight.local.azure_cloud.refusals import Why
from firstlight.local.azure_cloud.world import Device, Hub, World
from firstlight.local.mqtt import Hello, Reason

_USERNAME_PARTS = 3


class HubClient:
    """
    A device that was let in to *hub*.
    """

    def __init__(self, hub: Hub, device_id: str) -> None:
        self.hub = hub
        self.device_id = device_id
        # told of every subscription that is granted, before it is one
        self.subscribing: Callable[[HubClient], None] = lambda _: None
        self._filters = device_topics.filters(device_id)

    @property
    def name(self) -> str:
        return f"device={self.device_id} hub={self.hub.host}"

    @property
    def session(self) -> str:
        return f"{self.hub.host}/{self.device_id}"

    @property
    def device(self) -> Device | None:
        """
        Its identity, while there is one.
        """
        return self.hub.devices.get(self.device_id)

    def publish_refusal(self, topic: str, *, retain: bool) -> Reason:  # noqa: ARG002 -- the Protocol's signature
        # RETAIN is taken and nothing retained; the message only tells that it was set
        if device_topics.hub_request(topic) or device_topics.telemetry(self.device_id, topic) is not None:
            return Reason.SUCCESS
        return Reason.TOPIC_NAME_INVALID

    def subscribe_refusal(self, topic_filter: str) -> Reason:
        if topic_filter not in self._filters:
            return Reason.NOT_AUTHORIZED
        self.subscribing(self)
        return Reason.SUCCESS

    def may_receive(self, topic: str) -> bool:  # noqa: ARG002 -- the Protocol's signature
        # only ever what is meant for its session alone
        return True


def admit(hello: Hello, world: World, now: datetime) -> HubClient:
    """
    Return the device that *hello* shows itself to be.

    Raises:
        SessionError: it is not let in; `reason` is a `Why`.
    """
    hub, device_id = _asked_for(hello, world)
    device = _identity(hub, device_id)
    if hello.certificate is None:
        raise SessionError("Its certificate cannot be read.", reason=Why.CERTIFICATE)
    chains.require_dates(hello.certificate, now)
    if device.kind == "selfSigned":
        _require_thumbprint(device, hello.certificate)
    elif device.kind == "certificateAuthority":
        _require_chain(device_id, hello.certificate, hello.chain, hub, now)
    else:
        raise SessionError(
            f"Device {device_id!r} authenticates by {device.kind!r}, and a hub without device SAS takes certificates.",
            reason=Why.KIND,
            hint="Register it with its thumbprint, or as certificateAuthority.",
        )
    if not device.enabled:
        raise SessionError(f"Device {device_id!r} is disabled.", reason=Why.DISABLED)
    return HubClient(hub, device_id)


def _asked_for(hello: Hello, world: World) -> tuple[Hub, str]:
    parts = (hello.username or "").split("/")
    if len(parts) != _USERNAME_PARTS or "api-version=" not in parts[2]:
        raise SessionError(
            f"The user name {hello.username!r} is not '<hub host>/<device id>/?api-version=<version>'.",
            reason=Why.USERNAME,
        )
    host, device_id, _ = parts
    hub = world.hub_at(host)
    if hub is None:
        raise SessionError(f"There is no IoT hub at {host!r}.", reason=Why.HOST)
    if hello.server_name != hub.host:
        raise SessionError(
            f"TLS asked for {hello.server_name!r} and MQTT for {hub.host!r}.",
            reason=Why.SERVER_NAME,
            hint="Server name indication must name the hub.",
        )
    if hello.client_id != device_id:
        raise SessionError(
            f"The client id {hello.client_id!r} is not the device id {device_id!r} of the user name.",
            reason=Why.USERNAME,
        )
    return hub, device_id


def _identity(hub: Hub, device_id: str) -> Device:
    device = hub.devices.get(device_id)
    if device is not None:
        return device
    other = next((known for known in hub.devices if known.lower() == device_id.lower()), None)
    if other is not None:
        raise SessionError(
            f"Device {device_id!r} is not registered; {other!r} is, and device ids are case-sensitive.",
            reason=Why.CASE,
        )
    raise SessionError(f"Device {device_id!r} is not registered in {hub.host}.", reason=Why.UNKNOWN)


def _require_thumbprint(device: Device, certificate: Certificate) -> None:
    # SHA-256 or, as many registered it, SHA-1
    shown = {certificate.fingerprint, certificate.x509.fingerprint(hashes.SHA1()).hex()}  # noqa: S303 -- as above
    registered = {thumbprint.lower() for thumbprint in (device.primary, device.secondary) if thumbprint}
    if not registered & shown:
        raise SessionError(
            f"The thumbprint {certificate.fingerprint[:16]}… is neither the primary nor the secondary of "
            f"device {device.id!r}{'' if registered else ', which has none'}.",
            reason=Why.THUMBPRINT,
        )


def _require_chain(device_id: str, leaf: Certificate, sent: tuple[Certificate, ...], hub: Hub, now: datetime) -> None:
    cas = hub.certificates.values()
    path = chains.issuers(leaf, sent, [ca.certificate for ca in cas])
    chains.require_verified(leaf, path, list(cas), of=hub.host, now=now)
    if leaf.common_name != device_id:
        raise SessionError(
            f"The certificate's CN is {leaf.common_name!r}, not the device id {device_id!r}.", reason=Why.COMMON_NAME
        )
