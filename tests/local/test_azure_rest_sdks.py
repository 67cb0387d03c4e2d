"""
The vendor's own packages, unmodified, with production host names through the proxy.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.iothub import IotHubClient
from azure.mgmt.iothubprovisioningservices import IotDpsClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

from firstlight import pki
from firstlight.deploy.bundle import CHECKOUT
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.outputs import AzureOutput

GROUP = "firstlight"
HUB_SCOPE = "https://iothubs.azure.net/.default"
VERSION = "?api-version=2021-04-12"


@pytest.fixture
def shell(laptop_azure: AzureAddresses, monkeypatch: pytest.MonkeyPatch) -> AzureAddresses:
    """
    Make this process a shell after `eval "$(firstlight local env)"`: nothing else points the packages anywhere.
    """
    for name, value in laptop_azure.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return laptop_azure


@pytest.fixture
def credential(shell: AzureAddresses) -> Iterator[DefaultAzureCredential]:
    with DefaultAzureCredential() as found:
        yield found


def authorized(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def device(name: str) -> dict[str, Any]:
    x509 = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "A" * 64}}
    return {"id": name, "importMode": "create", "status": "enabled", "authentication": x509}


def test_the_hub_is_managed_by_its_own_package(shell: AzureAddresses, credential: DefaultAzureCredential) -> None:
    """
    DefaultAzureCredential with a client secret, azure-mgmt-iothub: a hub is made, shown, listed and deleted.
    """
    with IotHubClient(credential, shell.subscription) as client:
        hubs = client.iot_hub_resource
        description = {"location": shell.region, "sku": {"name": "S3", "capacity": 2}}
        made = hubs.begin_create_or_update(GROUP, "sdk-hub", description).result()
        assert ("sdk-hub.azure-devices.net", "S3", 2) == (made.properties.host_name, made.sku.name, made.sku.capacity)
        assert "sdk-hub" in {hub.name for hub in hubs.list_by_subscription()}
        hubs.begin_delete(GROUP, "sdk-hub").result()
        with pytest.raises(HttpResponseError) as gone:
            hubs.get(GROUP, "sdk-hub")

    assert 404 == gone.value.status_code


def test_possession_of_a_ca_is_proven_to_hub_and_dps(shell: AzureAddresses, credential: DefaultAzureCredential) -> None:
    """
    The packages' own verbs and etags, both of them.
    """
    now, key = datetime.now(UTC), pki.new_key()
    ca = pki.create_ca("SDK Maker CA", key=key, now=now)
    uploaded = {"properties": {"certificate": base64.b64encode(ca.pem.encode()).decode()}}

    def proof(code: str) -> dict[str, str]:
        certificate, _ = pki.verification_certificate(code, ca=ca, ca_key=key, now=now)
        return {"certificate": base64.b64encode(certificate.pem.encode()).decode()}

    hub, dps = shell.outputs[AzureOutput.HUB_NAME], shell.outputs[AzureOutput.DPS_NAME]
    with IotHubClient(credential, shell.subscription) as client:
        at = client.certificates
        made = at.create_or_update(GROUP, hub, "sdk", uploaded)
        coded = at.generate_verification_code(GROUP, hub, "sdk", made.etag)
        body = json.dumps(proof(coded.properties.verification_code)).encode()
        with pytest.raises(HttpResponseError) as stale:
            at.verify(GROUP, hub, "sdk", made.etag, body)
        verified = at.verify(GROUP, hub, "sdk", coded.etag, body)
    assert (412, True) == (stale.value.status_code, verified.properties.is_verified)

    with IotDpsClient(credential, shell.subscription) as client:
        of_dps = client.dps_certificate
        of_dps.create_or_update(GROUP, dps, "sdk", json.dumps(uploaded).encode())
        assert "sdk" in {c.name for c in of_dps.list(GROUP, dps).value}
        assert not of_dps.get("sdk", GROUP, dps).properties.is_verified
        assert shell.id_scope == client.iot_dps_resource.get(dps, GROUP).properties.id_scope


def test_the_template_is_compared_and_deployed(shell: AzureAddresses, credential: DefaultAzureCredential) -> None:
    """
    azure-mgmt-resource-deployments: what-if has nothing to change, and deploying again changes no names.
    """
    template = json.loads((CHECKOUT / "azure" / "infra" / "azuredeploy.json").read_text("utf-8"))

    with DeploymentsMgmtClient(credential, shell.subscription) as client:
        before = client.deployments.get(GROUP, f"firstlight-{shell.region}").properties
        parameters = {name: {"value": given["value"]} for name, given in before.parameters.items()}
        deployment = {"properties": {"mode": "Incremental", "template": template, "parameters": parameters}}
        found = client.deployments.begin_what_if(GROUP, "again", deployment).result()
        deployed = client.deployments.begin_create_or_update(GROUP, "again", deployment).result()

    assert {"NoChange"} == {str(change.change_type.value) for change in found.changes}
    assert dict(shell.outputs) == {name: output["value"] for name, output in deployed.properties.outputs.items()}


def test_the_functions_identity_registers_devices_and_no_more(
    laptop_azure: AzureAddresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Managed identity through DefaultAzureCredential, with the roles the template gave: no twins, no management.
    """
    for name, value in laptop_azure.function_environment.items():
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)

    with DefaultAzureCredential() as credential:
        headers = authorized(credential.get_token(HUB_SCOPE).token)
        with IotHubClient(credential, laptop_azure.subscription) as client, pytest.raises(HttpResponseError) as refused:
            client.iot_hub_resource.get(GROUP, laptop_azure.outputs[AzureOutput.HUB_NAME])
    hub = f"https://{laptop_azure.hub}"
    registered = requests.post(f"{hub}/devices{VERSION}", json=[device("by-identity")], headers=headers, timeout=10)
    twin = requests.get(f"{hub}/twins/by-identity{VERSION}", headers=headers, timeout=10)

    assert (200, True) == (registered.status_code, registered.json()["isSuccessful"])
    assert (401, "IotHubUnauthorized") == (twin.status_code, twin.headers["iothub-errorcode"])
    assert (403, "AuthorizationFailed") == (refused.value.status_code, refused.value.error.code)


def test_a_wrong_secret_is_told_as_entra_tells_it(shell: AzureAddresses) -> None:
    """
    AADSTS7000215, what everybody looks up.
    """
    wrong = ClientSecretCredential(shell.tenant, shell.client_id, "not-the-secret")

    with wrong, pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        wrong.get_token(HUB_SCOPE)


def test_an_unknown_identity_has_no_token(shell: AzureAddresses, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The endpoint believes nobody without the header it gave.
    """
    monkeypatch.setenv("IDENTITY_ENDPOINT", shell.identity["IDENTITY_ENDPOINT"])
    monkeypatch.setenv("IDENTITY_HEADER", "somebody")

    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token(HUB_SCOPE)


def test_another_cloud_host_is_not_reached(shell: AzureAddresses, credential: DefaultAzureCredential) -> None:
    """
    The proxy refuses it by name; nothing leaves the machine.
    """
    with (
        DeploymentsMgmtClient(
            credential,
            shell.subscription,
            base_url="https://management.usgovcloudapi.net",
            credential_scopes=["https://management.azure.com/.default"],
            retry_total=0,
        ) as client,
        pytest.raises(ServiceRequestError, match=r"management\.usgovcloudapi\.net:443 is not part of the laptop"),
    ):
        client.deployments.get(GROUP, "any")
