"""
The stub hub of the benchmarks as a world: over HTTPS, in any weather.
"""

import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from azure.core.credentials import AccessToken

from benchmarks.stub_hub import Addresses, StubHub, serving_hub
from benchmarks.stub_hub_registry import device as shown
from benchmarks.stub_limits import Limits
from firstlight.identity import DeviceIdentity
from firstlight.registries.azure_iot import AzureIotRegistry, Means, Patience

# Quicker than in earnest, but for an answer: a machine that stands still for a moment costs no call.
HASTY = Patience(attempt=20.0, base=0.005, longest=0.1, throttled=0.05)


class Token:
    """
    A credential whose token never changes.
    """

    def __init__(self, *tokens: str) -> None:
        self.asked = 0
        self._tokens = tokens or ("stub-token",)

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        token = self._tokens[min(self.asked, len(self._tokens) - 1)]
        self.asked += 1
        return AccessToken(token, int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class HubWorld:
    """
    A stub hub of its own.
    """

    def __init__(self, stack: AsyncExitStack, stub: StubHub, at: Addresses) -> None:
        self._stack = stack
        self.stub = stub
        self.at = at
        self.registry = self.another_process()

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "HubWorld":
        stub = StubHub()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return cls(stack, stub, await stack.enter_async_context(serving_hub(stub, folder)))

    def another_process(
        self,
        *,
        hub: str = "",
        credential: Any = None,
        patience: Patience = HASTY,
        preferred: Means = Means.THUMBPRINT,
        trusting: bool = True,
    ) -> AzureIotRegistry:
        registry = AzureIotRegistry(
            hub=hub or self.at.hub,
            credential=credential or Token(),
            ca_file=self.at.ca_file if trusting else None,
            patience=patience,
            preferred=preferred,
        )
        self._stack.push_async_callback(registry.close)
        return registry

    def weather(self, **limits: Any) -> None:
        """
        Set latency, quotas and faults; what is not named is fine.
        """
        self.stub.limits = Limits(**limits)

    @property
    def registry_host(self) -> str:
        return self.at.hub

    def can_connect(self, device: DeviceIdentity) -> bool:
        return self.stub.registry.able().get(device.name) == device.fingerprint.upper()

    def set_status(self, device: DeviceIdentity, status: str) -> None:
        self.stub.registry.devices[device.name]["status"] = "enabled" if status == "ACTIVE" else "disabled"

    def make(self, name: str, authentication: dict[str, Any], status: str = "enabled") -> None:
        """
        Put an identity there, as an operator or DPS may have.
        """
        self.stub.registry.devices[name] = shown(name, authentication, status)
