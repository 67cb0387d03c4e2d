"""
Where a function app's code is published: it is recorded, and what runs is the checkout's (docs/laptop.md).
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Any

from firstlight.local.azure_cloud.rest import Answer, Call, Refusal, Routes
from firstlight.local.azure_cloud.tokens import MANAGEMENT, TokenRefusedError, Tokens
from firstlight.local.azure_cloud.world import World

SCM_DOMAIN = "scm.azurewebsites.net"
_SITES = "Microsoft.Web/sites"
_PUBLISH = f"{_SITES}/publish/action"
_SUCCEEDED = 4


@dataclass(frozen=True)
class Published:
    """
    What an app was last given: the SHA-256 of the zip, and how many files it has.
    """

    app: str
    sha256: str
    files: int


class KuduService:
    """
    Takes code as Flex Consumption does ("one deploy"): a zip with host.json at its root.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self.published: dict[str, Published] = {}
        self.routes = Routes()
        self.routes.add("POST", "/api/publish", self._publish)
        self.routes.add("GET", "/api/deployments/{id}", self._deployment)

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of the service's errors.
        """
        return {"Code": refusal.code, "Message": refusal.message}

    def _publish(self, call: Call) -> Answer:
        app = self._authorized(call)
        if call.headers.get("content-type") != "application/zip":
            raise Refusal(415, "UnsupportedMediaType", "The content type is application/zip.")
        try:
            with zipfile.ZipFile(io.BytesIO(call.body)) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile as e:
            raise Refusal(400, "BadRequest", "The package is no zip file.") from e
        if "host.json" not in names:
            raise Refusal(400, "BadRequest", "The package has no host.json at its root.")
        digest = hashlib.sha256(call.body).hexdigest()
        self.published[app] = Published(app, digest, len(names))
        return Answer(202, digest[:32])

    def _deployment(self, call: Call) -> Answer:
        known = self.published.get(self._authorized(call))
        if known is None:
            raise Refusal(404, "NotFound", "Nothing was published yet.")
        return Answer(200, {"id": known.sha256[:32], "status": _SUCCEEDED, "complete": True})

    def _authorized(self, call: Call) -> str:
        """
        Return the app's name, if the caller may publish to apps of the subscription.
        """
        try:
            principal = self._tokens.principal(call.headers.get("authorization", ""), MANAGEMENT)
        except TokenRefusedError as e:
            raise Refusal(401, e.code, str(e)) from e
        if not self._world.directory.allows(principal, _PUBLISH, f"/subscriptions/{self._world.subscription}"):
            raise Refusal(403, "Forbidden", "The caller may not publish to this app.")
        return call.host.partition(".")[0]
