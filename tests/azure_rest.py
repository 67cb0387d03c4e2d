"""
The laptop Azure's REST services without sockets: one world, a clock that stands, callers with roles.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any, Protocol

from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.arm_rest import ResourceManager
from firstlight.local.azure_cloud.dps_rest import DpsService
from firstlight.local.azure_cloud.entra import Entra
from firstlight.local.azure_cloud.hub_rest import HubService
from firstlight.local.azure_cloud.operator_account import Operator
from firstlight.local.azure_cloud.rest import Answer, Call, Refusal, Routes
from firstlight.local.azure_cloud.throttle import Throttle
from firstlight.local.azure_cloud.tokens import DPS, HUB, MANAGEMENT, Tokens
from firstlight.local.azure_cloud.world import Dps, Hub, World

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/reel"
VERSIONS = {HUB: "2021-04-12", DPS: "2021-10-01", MANAGEMENT: "2023-06-30"}


class Service(Protocol):
    """
    What answers at a host.
    """

    routes: Routes

    @staticmethod
    def refuse(refusal: Refusal) -> Any: ...


@dataclass
class Site:
    """
    A hub `reel-hub` and a DPS `reel-dps` that is linked to it, owned by `operator`.
    """

    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    clock: float = 0.0
    world: World = field(default_factory=lambda: World(subscription=SUBSCRIPTION))

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.world, now=lambda: self.now)
        throttle = Throttle(lambda: self.clock)
        devices = f"{GROUP}/providers/Microsoft.Devices"
        self.hub = Hub("reel-hub", resource_id=f"{devices}/IotHubs/reel-hub")
        self.dps = Dps(
            "reel-dps",
            "0ne00000001",
            hubs=[self.hub.host],
            resource_id=f"{devices}/provisioningServices/reel-dps",
        )
        self.world.hubs[self.hub.name] = self.hub
        self.world.services[self.dps.name] = self.dps
        self.operator = Operator(client_id="00000000-0000-4000-8000-000000000001", secret="s").own(self.world)
        self.world.resources[GROUP.lower()] = {"id": GROUP, "name": "reel", "location": "westeurope"}
        self.entra = Entra(self.world, self.tokens)
        self._services: dict[str, tuple[Service, str]] = {
            HUB: (HubService(self.world, self.tokens, throttle), self.hub.host),
            DPS: (DpsService(self.world, self.tokens, throttle), self.dps.host),
            MANAGEMENT: (ResourceManager(self.world, self.tokens), "management.azure.com"),
        }

    def stranger(self, *roles: str, scope: str = GROUP) -> Principal:
        """
        Return somebody with these roles only.
        """
        principal = self.world.directory.enroll(Principal("somebody"))
        for role in roles:
            self.world.directory.assign(principal.object_id, role, scope)
        return principal

    def hour_later(self) -> None:
        self.now += timedelta(hours=1, seconds=1)

    def ask(
        self,
        api: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        etag: str = "",
        who: Principal | None = None,
        token: str = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """
        Return the status and the body that are answered.
        """
        answer = self.answer(
            api, method, path, body, headers={"if-match": etag, **(headers or {})}, who=who, token=token
        )
        return answer.status, answer.body

    def answer(
        self,
        api: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        who: Principal | None = None,
        token: str = "",
    ) -> Answer:
        service, host = self._services[api]
        token = token or self.tokens.issue(who or self.operator, api)
        try:
            handler, names = service.routes.find(method, path)
            call = Call(
                method=method,
                host=host,
                path=path,
                query={"api-version": VERSIONS[api]},
                headers={"authorization": f"Bearer {token}", **(headers or {})},
                body=b"" if body is None else json.dumps(body).encode(),
                names=names,
            )
            answer = handler(call)
            return asyncio.run(_awaited(answer)) if isawaitable(answer) else answer
        except Refusal as refusal:
            return Answer(refusal.status, service.refuse(refusal), {"code": str(refusal.code)})


async def _awaited(answer: Any) -> Answer:
    found: Answer = await answer
    return found
