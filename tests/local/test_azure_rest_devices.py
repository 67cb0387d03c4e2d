"""
The whole way on the laptop's Azure: a device nobody announced, DPS, the hub, and the service that talks to it.
"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.identity import DefaultAzureCredential
from azure.iot.device import X509, IoTHubDeviceClient, MethodResponse, ProvisioningDeviceClient, ProxyOptions

from firstlight import pki
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.azure_cloud.hooks import SECRET_HEADER
from firstlight.local.azure_cloud.world import GLOBAL_DPS_HOST
from firstlight.local.laptop import Laptop
from tests.factory import Factory
from tests.local import processes

# the SDK asks paho for its first callback interface, and leaves a socket to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

NAME = "reel-0001"


@pytest.fixture
def maker() -> Factory:
    return Factory("Reel Maker CA", now=datetime.now(UTC))


@pytest.fixture
def azure(maker: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureAddresses]:
    """
    A laptop's Azure that knows the maker's CA; this process is its operator's shell.
    """
    (tmp_path / "ca.pem").write_text(maker.ca.pem)
    regions = tmp_path / "regions.toml"
    regions.write_text(
        '[azure.westeurope]\ntoken_key_url = "https://keys.example.com/k.pem"\nca_certificates = ["ca.pem"]\n'
    )
    with Laptop(tmp_path / "state", regions=regions) as addresses:
        assert addresses.azure is not None
        for name, value in addresses.azure.environment.items():
            monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
        yield addresses.azure


@pytest.fixture
def papers(maker: Factory, tmp_path: Path) -> X509:
    """
    The device's certificate and key, in the files the SDK wants.
    """
    key = pki.new_key()
    certificate = pki.issue_device(
        ca=maker.ca, ca_key=maker.key, key_or_public_key=key, common_name=NAME, now=datetime.now(UTC)
    )
    pki.write_certificate(tmp_path / "device.pem", certificate)
    pki.write_key(tmp_path / "device-key.pem", key)
    return X509(cert_file=str(tmp_path / "device.pem"), key_file=str(tmp_path / "device-key.pem"))


def test_a_device_nobody_announced_is_operated_through_the_service_api(azure: AzureAddresses, papers: X509) -> None:
    """
    Registered just in time, connected, seen, called, written to, disabled: production names, unmodified SDKs.
    """
    how: dict[str, Any] = {
        "server_verification_cert": azure.ca_file.read_text(),
        "proxy_options": ProxyOptions("HTTP", "127.0.0.1", int(azure.proxy_url.rpartition(":")[2])),
    }
    registration = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host=GLOBAL_DPS_HOST, registration_id=NAME, id_scope=azure.id_scope, x509=papers, **how
    ).register()
    assert ("assigned", azure.hub) == (registration.status, registration.registration_state.assigned_hub)
    device = IoTHubDeviceClient.create_from_x509_certificate(
        x509=papers, hostname=azure.hub, device_id=NAME, connection_retry=False, auto_connect=False, **how
    )
    desired, message, gone = threading.Event(), threading.Event(), threading.Event()
    heard: list[Any] = []
    try:
        device.connect()
        device.on_method_request_received = lambda request: device.send_method_response(
            MethodResponse.create_from_method_request(request, 200, {"blinked": request.payload["times"]})
        )
        device.on_twin_desired_properties_patch_received = lambda patch: (heard.append(patch), desired.set())
        device.on_message_received = lambda received: (heard.append(received.data), message.set())
        device.on_connection_state_change = lambda: None if device.connected else gone.set()
        device.send_message(json.dumps({"light": "first"}))
        service = Service(azure)

        assert "Connected" == service.ask("GET", f"/devices/{NAME}")["connectionState"]
        call = {"methodName": "blink", "payload": {"times": 3}, "responseTimeoutInSeconds": 10}
        assert {"status": 200, "payload": {"blinked": 3}} == service.ask("POST", f"/twins/{NAME}/methods", call)
        service.ask("PATCH", f"/twins/{NAME}", {"properties": {"desired": {"led": "on"}}})
        assert desired.wait(10)
        service.hook("POST", f"/laptop/c2d/{azure.hub}/{NAME}", b"welcome")
        assert message.wait(10)
        assert [{"led": "on", "$version": 2}, b"welcome"] == heard
        assert processes.soon(lambda: bool(service.hook("GET", f"/laptop/telemetry?device={NAME}")))

        service.ask("PUT", f"/devices/{NAME}", {"status": "disabled"}, etag="*")
        assert gone.wait(10)
    finally:
        device.shutdown()


class Service:
    """
    The operator at the hub's service API, and at the laptop's own hooks.
    """

    def __init__(self, azure: AzureAddresses) -> None:
        self._azure = azure
        with DefaultAzureCredential() as credential:
            token = credential.get_token("https://iothubs.azure.net/.default").token
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None, *, etag: str = "") -> Any:
        headers = self._headers | ({"If-Match": etag} if etag else {})
        url = f"https://{self._azure.hub}{path}?api-version=2021-04-12"
        answer = requests.request(method, url, json=body, headers=headers, timeout=15)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def hook(self, method: str, path: str, body: bytes = b"") -> Any:
        headers = {SECRET_HEADER: self._azure.client_secret}
        answer = requests.request(method, f"{self._azure.proxy_url}{path}", data=body, headers=headers, timeout=15)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None
