"""
The Azure registry that a process's environment describes.
"""

from collections.abc import Mapping
from pathlib import Path

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from firstlight.errors import SettingsError
from firstlight.registries.azure_iot import AzureIotRegistry
from firstlight.settings import Settings


def registry_from(
    settings: Settings, env: Mapping[str, str], *, credential: AsyncTokenCredential | None = None
) -> AzureIotRegistry:
    """
    Return the registry of the hub that *settings* name, called with *credential* (default: azure-identity's chain).

    The chain reads the process's own environment: a managed identity in a function app, an operator's
    sign-in elsewhere.  SSL_CERT_FILE, or else REQUESTS_CA_BUNDLE, names the CA certificates to trust;
    HTTPS_PROXY and NO_PROXY mean what they mean everywhere.

    Raises:
        SettingsError: there is no hub, its quotas are none, or the file of CA certificates is not there.
    """
    if not settings.hub:
        raise SettingsError(
            "FIRSTLIGHT_HUB is not set.", hint="It is the host name of the IoT Hub, as in contoso.azure-devices.net."
        )
    return AzureIotRegistry(
        hub=settings.hub,
        credential=credential or DefaultAzureCredential(),
        ca_file=trusted_cas(env),
        proxy=proxy_for(settings.hub, env),
        quotas=settings.quotas,
    )


def trusted_cas(env: Mapping[str, str]) -> Path | None:
    """
    Return the file of CA certificates that *env* names, None if the system's are meant.

    Raises:
        SettingsError: it is not there.
    """
    trusted = env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or ""
    if trusted and not Path(trusted).is_file():
        raise SettingsError(f"The file of trusted CA certificates {trusted} does not exist.")
    return Path(trusted) if trusted else None


def proxy_for(host: str, env: Mapping[str, str]) -> str:
    """
    Return the URL of the proxy that *env* names for *host*, "" for none.
    """
    host = host.partition(":")[0].lower()
    for entry in (env.get("no_proxy") or env.get("NO_PROXY") or "").split(","):
        domain = entry.strip().lower().lstrip(".")
        if domain == "*" or (domain and f".{host}".endswith(f".{domain}")):
            return ""
    return env.get("https_proxy") or env.get("HTTPS_PROXY") or ""
