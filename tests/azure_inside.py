"""
The laptop's Azure without a socket: the management libraries' requests go straight to what answers them.
"""

import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from firstlight.azure_clients import Azure
from firstlight.local.azure_cloud.access import DPS_DATA_CONTRIBUTOR, HUB_DATA_CONTRIBUTOR, OWNER, Principal
from firstlight.local.azure_cloud.arm_rest import ResourceManager
from firstlight.local.azure_cloud.dps_rest import DpsService
from firstlight.local.azure_cloud.hub_rest import HubService
from firstlight.local.azure_cloud.kudu_rest import SCM_DOMAIN, KuduService
from firstlight.local.azure_cloud.rest import Answer, Call, Refusal
from firstlight.local.azure_cloud.throttle import Throttle
from firstlight.local.azure_cloud.tokens import Tokens
from firstlight.local.azure_cloud.world import DPS_DOMAIN, HUB_DOMAIN, World

# What a test puts in the place of an answer: a status, headers and a body, or an exception; None leaves it alone.
Fault = Callable[[requests.PreparedRequest], tuple[int, dict[str, str], str] | Exception | None]


class AzureInside(BaseAdapter):
    """
    A subscription in memory.  `seen` lists the requests by method and path; `fault` may answer instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(subscription="00000000-0000-0000-0000-000000000001")
        self.tokens = Tokens(self.world, now=lambda: datetime.now(UTC))
        self.operator = self.world.directory.enroll(Principal("operator"))
        for role in (OWNER, DPS_DATA_CONTRIBUTOR, HUB_DATA_CONTRIBUTOR):
            self.world.directory.assign(self.operator.object_id, role, f"/subscriptions/{self.world.subscription}")
        self.arm = ResourceManager(self.world, self.tokens)
        self.dps = DpsService(self.world, self.tokens, Throttle(time.monotonic))
        self.hub = HubService(self.world, self.tokens, Throttle(time.monotonic))
        self.kudu = KuduService(self.world, self.tokens)
        self.seen: list[str] = []
        self.fault: Fault = lambda _: None
        self.token_lifetime = 3600

    @property
    def azure(self) -> Azure:
        session = requests.Session()
        session.mount("https://", self)
        transport = RequestsTransport(session=session, session_owner=False)
        return Azure(self.world.subscription, credential=self, transport=transport, retry_total=0)

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        audience = scopes[0].removesuffix("/.default")
        token = self.tokens.issue(self.operator, audience, lifetime=self.token_lifetime)
        return AccessToken(token, int(time.time()) + 3600)

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        self.seen.append(f"{request.method} {unquote(url.path)}")
        match self.fault(request):
            case Exception() as e:
                raise e
            case (status, headers, text):
                return _response(request, status, headers, text)
            case None:
                pass
        answer = self._answer(request)
        text = "" if answer.body is None else json.dumps(answer.body)
        return _response(request, answer.status, {"Content-Type": "application/json", **answer.headers}, text)

    def close(self) -> None:
        pass

    def _answer(self, request: requests.PreparedRequest) -> Answer:
        url = urlsplit(str(request.url))
        host = url.hostname or ""
        service: Any = self.arm
        if host.endswith(DPS_DOMAIN):
            service = self.dps
        elif host.endswith(HUB_DOMAIN):
            service = self.hub
        elif host.endswith(SCM_DOMAIN):
            service = self.kudu
        body = request.body or b""
        try:
            handler, names = service.routes.find(str(request.method), unquote(url.path))
            return handler(  # type: ignore[no-any-return]
                Call(
                    method=str(request.method),
                    host=host,
                    path=unquote(url.path),
                    query={k: v[0] for k, v in parse_qs(url.query).items()},
                    headers={k.lower(): v for k, v in request.headers.items()},
                    body=body if isinstance(body, bytes) else str(body).encode(),
                    names=names,
                )
            )
        except Refusal as e:
            return Answer(e.status, service.refuse(e), {"x-ms-error-code": str(e.code)})


def _response(request: requests.PreparedRequest, status: int, headers: dict[str, str], text: str) -> requests.Response:
    raw = HTTPResponse(io.BytesIO(text.encode()), headers=headers, status=status, preload_content=False)
    return HTTPAdapter().build_response(request, raw)
