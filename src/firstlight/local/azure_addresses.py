"""
Where the laptop's Azure answers: what a person, a shell or a test needs to use it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.outputs import AzureOutput

# What is this machine's own is never asked of the proxy.
_DIRECT = "127.0.0.1,localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureAddresses:
    """
    `proxy_url` is the way to all of it, under the names public Azure has; `ca_file`, PEM, signed its certificates.

    `client_id` and `client_secret` are the operator's, `outputs` those of the deployed template, `identity` the
    variables by which a program gets tokens as the function app does; the last two are empty without the template.
    """

    proxy_url: str
    ca_file: Path
    region: str
    subscription: str
    tenant: str
    client_id: str
    client_secret: str = field(repr=False)
    outputs: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def hub(self) -> str:
        """
        The hub's host name, "" when none is deployed.
        """
        return self.outputs.get(AzureOutput.HUB_HOST_NAME, "")

    @property
    def dps(self) -> str:
        """
        The host name of the DPS's service API.
        """
        return self.outputs.get(AzureOutput.DPS_HOST_NAME, "")

    @property
    def id_scope(self) -> str:
        """
        What devices find the DPS by.
        """
        return self.outputs.get(AzureOutput.ID_SCOPE, "")

    @property
    def queue_url(self) -> str:
        """
        Where devices wait that a push could not finish, "" when there is no function app.
        """
        return self.outputs.get(AzureOutput.QUEUE_URL, "")

    @property
    def trust(self) -> dict[str, str | None]:
        """
        The variables that lead every HTTPS client of a process here; None is for those that must not be set.
        """
        return {
            "HTTPS_PROXY": self.proxy_url,
            "https_proxy": None,
            "NO_PROXY": _DIRECT,
            "no_proxy": None,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
        }

    @property
    def environment(self) -> dict[str, str | None]:
        """
        `trust`, and who the operator is to DefaultAzureCredential; `LAPTOP_…` for the rest.
        """
        return {
            **self.trust,
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": self.client_secret,
            "AZURE_CLIENT_CERTIFICATE_PATH": None,
            "AZURE_AUTHORITY_HOST": None,
            "AZURE_SUBSCRIPTION_ID": self.subscription,
            "LAPTOP_AZURE_HUB": self.hub,
            "LAPTOP_AZURE_DPS": self.dps,
            "LAPTOP_AZURE_ID_SCOPE": self.id_scope,
            "LAPTOP_AZURE_QUEUE_URL": self.queue_url,
            "LAPTOP_AZURE_PROXY": self.proxy_url,
            "LAPTOP_AZURE_CA_FILE": str(self.ca_file),
        }

    @property
    def function_environment(self) -> dict[str, str | None]:
        """
        `trust`, and the function app's managed identity instead of the operator.
        """
        operator = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        return {**self.trust, **dict.fromkeys(operator), **self.identity}

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> "AzureAddresses":
        """
        Return what dataclasses.asdict and JSON made of it.
        """
        return cls(**{**known, "ca_file": Path(known["ca_file"])})
