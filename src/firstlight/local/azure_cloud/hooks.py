"""
What only a laptop can be asked, beside Azure: what devices said, a message to one, what an app is to run with.

Azure has Event Hubs and AMQP for the first two, which no laptop here speaks.  Plain HTTP on the proxy's own port, for
the one who has the operator's secret.
"""

import base64
import secrets
from typing import Any

from firstlight.errors import SessionError
from firstlight.local.azure_cloud.devices import Devices
from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.site_rest import SiteService
from firstlight.local.azure_cloud.world import World

SECRET_HEADER = "x-laptop-secret"  # noqa: S105 -- a header's name


class Hooks:
    """
    Adds its routes to *routes*; every call must bear *secret*.
    """

    def __init__(self, world: World, devices: Devices, sites: SiteService, *, secret: str, routes: Routes) -> None:
        self._world = world
        self._sites = sites
        self._devices = devices
        self._secret = secret
        routes.add("GET", "/laptop/telemetry", self._allowed(self._telemetry))
        routes.add("GET", "/laptop/attempts", self._allowed(self._attempts))
        routes.add("POST", "/laptop/c2d/{hub}/{id}", self._allowed(self._send))
        routes.add("GET", "/laptop/identity/{resource:path}", self._allowed(self._identity))
        routes.add("GET", "/laptop/settings/{resource:path}", self._allowed(self._settings))
        routes.add("GET", "/laptop/host/{app}/{port}", self._allowed(self._host))

    def _allowed(self, handler: Handler) -> Handler:
        def answer(call: Call) -> Any:
            if not secrets.compare_digest(call.headers.get(SECRET_HEADER, ""), self._secret):
                raise Refusal(403, "Forbidden", f"The operator's secret is missing; send it as {SECRET_HEADER}.")
            return handler(call)

        return answer

    def _telemetry(self, call: Call) -> Answer:
        wanted = call.query.get("device")
        found = [
            {
                "hub": heard.hub,
                "device": heard.device_id,
                "payload": base64.b64encode(heard.payload).decode(),
                "properties": dict(heard.properties),
                "at": heard.at.isoformat(),
            }
            for heard in self._devices.inbox
            if wanted in {None, heard.device_id}
        ]
        return Answer(200, found)

    def _attempts(self, _call: Call) -> Answer:
        names = ("what", "service", "device", "result", "why", "reason", "hint")
        return Answer(200, [{name: getattr(one, name) for name in names} for one in self._devices.attempts])

    def _send(self, call: Call) -> Answer:
        try:
            self._devices.send_c2d(call.names["hub"], call.names["id"], call.body)
        except SessionError as e:
            raise Refusal(404, "NotFound", str(e)) from e
        return Answer(204)

    def _settings(self, call: Call) -> Answer:
        found = self._world.resources.get(f"/{call.names['resource']}".lower())
        if found is None:
            raise Refusal(404, "NotFound", "There is no such resource.")
        settings = (found["properties"].get("siteConfig") or {}).get("appSettings") or []
        return Answer(200, {setting["name"]: setting["value"] for setting in settings})

    def _host(self, call: Call) -> Answer:
        self._sites.hosted[call.names["app"].lower()] = int(call.names["port"])
        return Answer(200, {})

    def _identity(self, call: Call) -> Answer:
        identity = self._world.directory.identity_of(f"/{call.names['resource']}")
        if identity is None:
            raise Refusal(404, "NotFound", "The resource has no managed identity.")
        return Answer(200, {"client_id": identity.client_id, "secret": identity.secret})
