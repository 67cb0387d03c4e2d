"""
Entra ID as the vendor's credentials meet it: client secrets, managed identities, and the discovery before.
"""

import secrets
from typing import Any
from urllib.parse import parse_qs

from firstlight.local.azure_cloud.access import Principal
from firstlight.local.azure_cloud.rest import Answer, Call, Refusal, Routes
from firstlight.local.azure_cloud.tokens import ALGORITHM, AUDIENCES, LIFETIME, LOGIN_HOST, Tokens
from firstlight.local.azure_cloud.world import World

_ALIASES = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")
MANAGED_IDENTITY_PATH = "/msi/token"


class Entra:
    """
    Answers at login.microsoftonline.com, and at the managed identity endpoint.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self.routes = Routes()
        self.routes.add("GET", "/common/discovery/instance", self._instance)
        self.routes.add("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._openid)
        self.routes.add("GET", "/{tenant}/.well-known/openid-configuration", self._openid)
        self.routes.add("GET", "/{tenant}/discovery/v2.0/keys", self._keys)
        self.routes.add("POST", "/{tenant}/oauth2/v2.0/token", self._token)
        # What App Service and Azure Functions set IDENTITY_ENDPOINT to; plain HTTP on the machine itself.
        self.managed_identity = Routes()
        self.managed_identity.add("GET", MANAGED_IDENTITY_PATH, self._identity)

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of an OAuth 2 error; AADSTS… is what people look up.
        """
        error = refusal.code if isinstance(refusal.code, str) else "invalid_request"
        return {"error": error, "error_description": refusal.message, "correlation_id": secrets.token_hex(16)}

    @staticmethod
    def refuse_identity(refusal: Refusal) -> Any:
        """
        Return the body of the managed identity endpoint's errors.
        """
        return {"statusCode": refusal.status, "message": refusal.message, "correlationId": secrets.token_hex(16)}

    def _instance(self, _call: Call) -> Answer:
        metadata = [
            {"preferred_network": LOGIN_HOST, "preferred_cache": "login.windows.net", "aliases": list(_ALIASES)}
        ]
        where = f"https://{LOGIN_HOST}/{self._world.tenant}/v2.0/.well-known/openid-configuration"
        return Answer(200, {"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": metadata})

    def _openid(self, call: Call) -> Answer:
        tenant = self._tenant(call)
        base = f"https://{LOGIN_HOST}/{tenant}"
        return Answer(
            200,
            {
                "issuer": self._tokens.issuer,
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
            },
        )

    def _keys(self, _call: Call) -> Answer:
        return Answer(200, self._tokens.keys())

    def _token(self, call: Call) -> Answer:
        self._tenant(call)
        form = {name: values[0] for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        client = form.get("client_id", "")
        principal = self._world.directory.by_client(client)
        if principal is None or principal.managed:
            raise Refusal(
                400, "unauthorized_client", f"AADSTS700016: Application with identifier '{client}' was not found."
            )
        if not secrets.compare_digest(principal.secret, form.get("client_secret", "")):
            raise Refusal(401, "invalid_client", f"AADSTS7000215: Invalid client secret provided for app '{client}'.")
        audience = form.get("scope", "").partition(" ")[0].removesuffix("/.default").rstrip("/")
        if audience not in AUDIENCES:
            raise Refusal(
                400, "invalid_resource", f"AADSTS500011: The resource principal named {audience} was not found."
            )
        return Answer(200, self._grant(principal, audience) | {"expires_in": LIFETIME, "ext_expires_in": LIFETIME})

    def _identity(self, call: Call) -> Answer:
        principal = self._world.directory.by_secret(call.headers.get("x-identity-header", ""))
        if principal is None:
            raise Refusal(403, "Forbidden", "X-IDENTITY-HEADER names no managed identity.")
        client = call.query.get("client_id", principal.client_id)
        if client != principal.client_id:
            raise Refusal(400, "BadRequest", f"No managed identity with the client id {client} is here.")
        audience = call.query.get("resource", "").rstrip("/")
        if audience not in AUDIENCES:
            raise Refusal(400, "BadRequest", f"AADSTS500011: The resource principal named {audience} was not found.")
        grant = self._grant(principal, audience)
        return Answer(200, grant | {"resource": audience, "client_id": principal.client_id})

    def _grant(self, principal: Principal, audience: str) -> dict[str, Any]:
        token = self._tokens.issue(principal, audience)
        return {"token_type": "Bearer", "access_token": token, "expires_on": self._tokens.ends()}

    def _tenant(self, call: Call) -> str:
        tenant = call.names["tenant"]
        if tenant.lower() not in {self._world.tenant, "organizations", "common"}:
            raise Refusal(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
        return tenant
