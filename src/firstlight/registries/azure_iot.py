"""
IoT Hub as a registry: many devices in bulk, before a deadline, however often they are pushed.

Plain REST on an azure-core pipeline; docs/adr/0009 says why.
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from azure.core.credentials_async import AsyncTokenCredential

from firstlight.errors import RegistryError, SettingsError
from firstlight.identity import DeviceIdentity
from firstlight.inspection import Sought, Standing
from firstlight.provision import Registration
from firstlight.registries import azure_budget, azure_errors, azure_identity
from firstlight.registries.azure_authentication import Means
from firstlight.registries.azure_http import AzureHttp
from firstlight.registries.azure_inspection import AzureInspection
from firstlight.registries.azure_pace import Pace, Patience
from firstlight.registries.azure_push import AzurePush
from firstlight.registries.azure_rounds import Site

__all__ = ["AzureIotRegistry", "Means", "Patience"]

_HUB = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.IGNORECASE)


class AzureIotRegistry:
    """
    The device identities of one IoT Hub.

    Make one per process and keep it: connections, the token and the pace the hub allows are kept
    from push to push.  It belongs to the event loop of its first call.  *hub* is a host name,
    with a port if need be; *ca_file* (PEM) stands in for the system's CAs; *proxy* is a URL; *quotas* is
    what the hub is known to take, as in `Settings.quotas`.
    """

    def __init__(
        self,
        *,
        hub: str,
        credential: AsyncTokenCredential,
        preferred: Means = Means.THUMBPRINT,
        ca_file: Path | None = None,
        proxy: str = "",
        patience: Patience | None = None,
        quotas: str = "",
    ) -> None:
        """
        Raises:
            SettingsError: *hub* is no host name, or *quotas* are none.
        """
        if not _HUB.fullmatch(hub):
            raise SettingsError(
                f"{hub!r} is no host name of an IoT Hub.", hint="It is as in contoso.azure-devices.net."
            )
        patience = patience or Patience()
        self._site = Site(
            hub=hub,
            http=AzureHttp(hub=hub, credential=credential, ca_file=ca_file, proxy=proxy),
            pace=Pace(patience, azure_budget.parse(quotas)),
            patience=patience,
            preferred=preferred,
        )

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        """
        See `firstlight.provision.Registry`.
        """
        if asyncio.get_running_loop().time() >= deadline:
            return [Registration(error=azure_errors.not_attempted())] * len(devices)
        return await AzurePush(self._site, devices, deadline=deadline).run()

    async def inspect(self, devices: Sequence[Sought], *, deadline: float) -> list[Standing]:
        """
        See `firstlight.inspection.Inspector`.  A hub knows devices by name only: without one there is an error.
        """
        return await AzureInspection(self._site, devices, deadline=deadline).run()

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        """
        See `firstlight.overflow.Foreseeing`.
        """
        return azure_identity.refusal(device)

    async def close(self) -> None:
        """
        Close the connections and the credential.
        """
        await self._site.http.close()
