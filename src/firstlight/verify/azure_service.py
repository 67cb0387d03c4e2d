"""
The service's side of a device, as far as verification needs it.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason


@dataclass(frozen=True, slots=True)
class Known:
    """
    What a hub knows of a device.  `kind` is the API's: `selfSigned` (by thumbprint), `certificateAuthority`, …;
    `etag` changes with the identity.
    """

    kind: str
    thumbprints: frozenset[str] = frozenset()
    enabled: bool = True
    etag: str = ""


class Service(Protocol):
    """
    The service side of hubs, each named by its host.  Everything raises SessionError: SERVICE if refused,
    NO_SERVICE if it cannot do this.
    """

    async def invoke(self, hub: str, device_id: str, method: str, payload: dict[str, Any]) -> Any:
        """
        Call the direct method and return what the device answered.
        """

    async def send(self, hub: str, device_id: str, payload: bytes) -> None:
        """
        Send a message to the device.
        """

    async def look_up(self, hub: str, device_id: str) -> Known | None:
        """
        Return what the hub knows of the device, or None: no such device.
        """


async def explained(
    error: SessionError, service: Service, hub: str, device_id: str, chain: list[Certificate]
) -> SessionError:
    """
    Return the error of a hub that did not let *device_id* in, with what the hub's own registry says to it.
    """
    try:
        known = await service.look_up(hub, device_id)
        other = None if known else await service.look_up(hub, device_id.lower())
    except SessionError as e:
        return SessionError(f"{error.message}; asked why, {e.message}", reason=error.reason)
    if known is None and other is not None:
        return SessionError(f"the hub has no {device_id}, but has {device_id.lower()}", reason=Reason.CASE)
    if known is None:
        return SessionError(f"the hub has no device {device_id}", reason=Reason.UNKNOWN_DEVICE)
    return _mismatch(known, device_id, chain) or error


def _mismatch(known: Known, device_id: str, chain: list[Certificate]) -> SessionError | None:
    if not known.enabled:
        return SessionError(f"the hub has {device_id} disabled", reason=Reason.DISABLED)
    if known.kind == "certificateAuthority":
        return _mismatch_by_ca(device_id, chain)
    if chain[0].fingerprint in {t.lower() for t in known.thumbprints}:
        return None
    by = "the thumbprint of another certificate" if known.kind == "selfSigned" else f"{known.kind}, not by X.509"
    return SessionError(f"the hub knows {device_id} by {by}", reason=Reason.THUMBPRINT)


def _mismatch_by_ca(device_id: str, chain: list[Certificate]) -> SessionError:
    common_name = chain[0].common_name or ""
    if common_name != device_id:
        return SessionError(
            f"the hub knows {device_id} by its CA, and the common name is {common_name!r}",
            reason=Reason.CASE if common_name.lower() == device_id.lower() else Reason.COMMON_NAME,
        )
    if len(chain) == 1:
        return SessionError(
            f"the hub knows {device_id} by its CA, and the certificate went without the chain to it",
            reason=Reason.CHAIN,
        )
    return SessionError(f"no CA of the chain of {device_id} is verified in the hub", reason=Reason.CA)
