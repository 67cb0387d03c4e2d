"""
The one door to Azure's management: clients, credentials, and their errors in one sentence each.

What is done per device does not come through here (see firstlight.registries.azure_iot).
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions, PipelineClient
from azure.core import exceptions as azure
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    ContentDecodePolicy,
    ProxyPolicy,
    RequestIdPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.iothub import IotHubClient
from azure.mgmt.iothubprovisioningservices import IotDpsClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

from firstlight.errors import DeploymentError, FirstlightError

MANAGEMENT = "https://management.azure.com"
MANAGEMENT_SCOPE = f"{MANAGEMENT}/.default"
DPS_SCOPE = "https://azure-devices-provisioning.net/.default"
HUB_SCOPE = "https://iothubs.azure.net/.default"
NOT_FOUND = 404
# Their warnings would stand beside our sentence on stderr; whoever wants them configures logging.
logging.getLogger("azure").addHandler(logging.NullHandler())
_HTML = re.compile(r"\s*<")
_SIGN_IN = "Sign in again, for instance with `az login`."
# What DPS says with 401, where others say 403.
_NO_ROLE = re.compile(r"is not authorized for|no assigned permissions")
_ACTION = re.compile(r"perform action '([\w./]+)'")


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a service answered; `body` is its JSON, or None if it is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


class Rest:
    """
    Requests to one service that no management package knows.
    """

    def __init__(self, base_url: str, scope: str, credential: TokenCredential, **options: Any) -> None:
        self._base_url = base_url
        self._client: PipelineClient[Any, Any] = PipelineClient(
            base_url,
            policies=[
                RequestIdPolicy(),
                UserAgentPolicy("firstlight"),
                ProxyPolicy(proxies=options.get("proxies")),
                RetryPolicy(**options),
                BearerTokenCredentialPolicy(credential, scope),
                ContentDecodePolicy(),
            ],
            **options,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: tuple[int, ...] = (),
    ) -> Answer:
        """
        Send one request and return what is answered, if it is 2xx or *allowed*.

        Raises:
            AzureError: it is not, or nothing was; `refusals` puts it in a sentence.
        """
        request = HttpRequest(
            method, f"{self._base_url}{path}", json=json_body, content=content, headers=dict(headers or {})
        )
        response = self._client.send_request(request)
        if response.status_code not in allowed:
            response.raise_for_status()
        text = response.text()
        try:
            body = json.loads(text) if text else None
        except ValueError as e:
            raise azure.DecodeError("no JSON", response=response) from e
        return Answer(response.status_code, response.headers, body)


class Azure:
    """
    One subscription: clients made when they are first asked for.

    *options* go to every client (a transport, for tests); without *credential* azure-identity looks where it
    always does: AZURE_CLIENT_ID and its like, a managed identity, the Azure CLI's sign-in.
    """

    def __init__(self, subscription: str, *, credential: TokenCredential | None = None, **options: Any) -> None:
        self.subscription = subscription
        self._credential = credential or DefaultAzureCredential()
        self._options = options

    def deployments(self) -> Any:
        """
        Return the operations on deployments (azure-mgmt-resource-deployments).
        """
        return DeploymentsMgmtClient(self._credential, self.subscription, **self._options).deployments

    def hub_certificates(self) -> Any:
        """
        Return the operations on the CA certificates of IoT Hubs (azure-mgmt-iothub).
        """
        return IotHubClient(self._credential, self.subscription, **self._options).certificates

    def dps_certificates(self) -> Any:
        """
        Return the operations on those of provisioning services (azure-mgmt-iothubprovisioningservices).
        """
        return IotDpsClient(self._credential, self.subscription, **self._options).dps_certificate

    def rest(self, base_url: str = MANAGEMENT, scope: str = MANAGEMENT_SCOPE) -> Rest:
        """
        Return a client of the service at *base_url*, by default of the Resource Manager.
        """
        return Rest(base_url, scope, self._credential, **self._options)


def client_secret(tenant: str, client_id: str, secret: str, **options: Any) -> TokenCredential:
    """
    Return the credential of an application; *options* go to its client.
    """
    return ClientSecretCredential(tenant, client_id, secret, **options)


def unchanged(etag: str) -> dict[str, Any]:
    """
    Return the keywords with which the provisioning services' client asks for "only if it still is *etag*".
    """
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


@contextmanager
def refusals(doing: str, *, error: type[FirstlightError] = DeploymentError) -> Iterator[None]:
    """
    Raise as *error* what Azure's libraries raise within; *doing* opens the sentence ("Deploying firstlight").
    """
    try:
        yield
    except azure.AzureError as e:
        raise explain(e, doing, error=error) from e


def is_missing(e: Exception) -> bool:
    """
    Return whether *e* says that what was asked for is not there.
    """
    return isinstance(e, azure.HttpResponseError) and e.status_code == NOT_FOUND


def explain(e: Exception, doing: str, *, error: type[FirstlightError] = DeploymentError) -> FirstlightError:
    """
    Return *e* of Azure's libraries as *error*: what was being done, what went wrong, and the remedy.
    """
    if isinstance(e, azure.HttpResponseError) and e.response is not None:
        problem, hint = _refused(e)
    elif isinstance(e, azure.ClientAuthenticationError):
        problem, hint = f"there is no Entra ID token to be had, {_first_line(str(e))}", _SIGN_IN
    elif isinstance(e, azure.ServiceRequestError | azure.ServiceResponseError):
        problem = f"Azure cannot be reached ({_first_line(str(e))[:160]})"
        hint = "Check the network, HTTPS_PROXY and REQUESTS_CA_BUNDLE."
    else:
        problem, hint = _first_line(str(e)), ""
    return error(f"{doing} failed: {problem}.", hint=hint)


def _refused(e: azure.HttpResponseError) -> tuple[str, str]:
    text = _text(e.response)
    if _HTML.match(text) or isinstance(e, azure.DecodeError):
        request: Any = getattr(e.response, "request", None)
        host = urlsplit(str(getattr(request, "url", ""))).hostname
        return f"what answers at {host} is not Azure, but something with web pages (HTTP {e.status_code})", (
            "Check HTTPS_PROXY, and what stands between here and Azure."
        )
    codes, message = _innermost(text)
    if not codes:
        message = message or _first_line(e.message)
    if (action := _ACTION.search(message)) or _NO_ROLE.search(message) or e.status_code == 403:  # noqa: PLR2004 -- HTTP
        what = f"do {action[1]}" if action else "do that"
        return f"the identity in use may not {what}", (
            "Assign it a role that allows it; docs/deploy-azure.md names the roles, and a new one takes some minutes."
        )
    for known, problem, hint in _KNOWN:
        if set(codes) & known or str(e.status_code) in known:
            return problem, hint
    return ", ".join([*codes[-1:], message] if codes else [f"HTTP {e.status_code}", message]).rstrip(", "), ""


_KNOWN: tuple[tuple[set[str], str, str], ...] = (
    ({"ExpiredAuthenticationToken", "TokenExpired"}, "the Entra ID token in use has expired", _SIGN_IN),
    ({"401", "InvalidAuthenticationToken"}, "Azure does not accept the Entra ID token in use", _SIGN_IN),
    ({"SubscriptionNotFound"}, "there is no such subscription for the identity in use", "Check its id and tenant."),
    (
        {"LocationNotAvailableForResourceType", "LocationNotAvailableForResourceGroup", "NoRegisteredProviderFound"},
        "Azure has no such region, or not everything we need in it",
        "`az account list-locations` names the regions.",
    ),
    (
        {"412", "412001", "PreconditionFailed"},
        "somebody else changed it meanwhile",
        "Do it again; what was done is kept.",
    ),
    ({"429", "TooManyRequests"}, "Azure is throttling", "Try again in a minute."),
)


def _innermost(text: str) -> tuple[list[str], str]:
    """
    Return the codes on the way to the innermost error of Azure's JSON, and its message.
    """
    try:
        body = json.loads(text)
    except ValueError:
        return [], ""
    found = body.get("error", body) if isinstance(body, dict) else {}
    codes, message = [], ""
    while isinstance(found, dict):
        if found.get("code"):
            codes.append(str(found["code"]))
        message = str(found.get("message") or found.get("Message") or message)
        details = found.get("details")
        found = details[0] if isinstance(details, list) and details else None
    return codes, _first_line(message)


def _text(response: Any) -> str:
    try:
        return str(response.text())
    except Exception:  # noqa: BLE001 -- whatever cannot be read says nothing
        return ""


def _first_line(text: str) -> str:
    return " ".join((text.strip().splitlines() or [""])[0].split()).rstrip(".")
