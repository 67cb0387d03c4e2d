"""
The CONNECT proxy and the process behind it: who is let through, where it listens, that it ends.
"""

import contextlib
import http.client
import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.azure_cloud.process import AzureProcess
from firstlight.verify.reach import look
from firstlight.verify.target import Target
from tests.local import processes

IDS = {"subscription": "11111111-2222-4333-8444-555555555555", "tenant": "22222222-2222-4333-8444-555555555555"}


def port_of(azure: AzureAddresses) -> int:
    return int(azure.proxy_url.rpartition(":")[2])


def test_another_kind_of_server_is_no_proxy() -> None:
    """
    What it says instead is told, harmlessly.
    """
    target = Target(endpoint="hub.example", port=8883, cert_pem=b"", key_pem=b"", client_id="")

    def answer() -> None:
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(b"SSH-2.0-Other\x1b[31m\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        thread.submit(answer)
        error = look(target, 10.0, ("127.0.0.1", server.getsockname()[1]))

    assert error is not None
    assert "through the proxy" in error.message
    assert "SSH-2.0-Other" in error.message
    assert error.message.isprintable()


def connect(azure: AzureAddresses, target: str, tail: str = "\r\n\r\n") -> str:
    """
    Return the first line the proxy answers to CONNECT *target*.
    """
    with socket.create_connection(("127.0.0.1", port_of(azure)), timeout=10) as wire:
        wire.sendall(f"CONNECT {target} HTTP/1.1{tail}".encode())
        return wire.makefile("rb").readline().decode().strip()


@pytest.mark.parametrize(
    "target",
    [
        "any.azure-devices.net:443",
        "any.azure-devices.net:8883",
        "GLOBAL.azure-devices-provisioning.net:8883",
        "login.microsoftonline.com:443",
        "management.azure.com:443",
    ],
)
def test_the_names_of_public_azure_lead_here(laptop_azure: AzureAddresses, target: str) -> None:
    """
    HTTPS and MQTT, in any case.
    """
    assert "HTTP/1.1 200 Connection established" == connect(laptop_azure, target)


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "management.azure.com:22",
        "any.azure-devices.net:5671",
        "azure-devices.net:443",
        "a.b.azure-devices.net:443",
        "any.azure-devices.net.example.com:443",
        "127.0.0.1:443",
        "any.azure-devices.net:",
        "nothing",
        "any.azure-devices.net:99999999999999999999",
    ],
)
def test_everything_else_is_refused_by_name(laptop_azure: AzureAddresses, target: str) -> None:
    """
    403, and the reason phrase names the host: that is what clients show.
    """
    line = connect(laptop_azure, target)

    assert line.startswith("HTTP/1.1 403 ")
    assert target in line


def test_plain_http_to_elsewhere_is_refused(laptop_azure: AzureAddresses) -> None:
    """
    Whoever sets HTTP_PROXY to it meets the same wall.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port_of(laptop_azure), timeout=10)
    connection.request("GET", "http://example.com/")
    answer = connection.getresponse()
    connection.close()

    assert (403, "http://example.com/ is not part of the laptop's Azure.") == (answer.status, answer.reason)


def test_nonsense_does_not_disturb_it(laptop_azure: AzureAddresses) -> None:
    """
    Bytes that are no HTTP, and heads without an end, are let go of.
    """
    for junk in (b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"\r\n\r\n", b"A" * 70_000):
        with socket.create_connection(("127.0.0.1", port_of(laptop_azure)), timeout=10) as wire:
            wire.sendall(junk)
            wire.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                wire.recv(1024)

    assert "200" in connect(laptop_azure, "management.azure.com:443")


def test_web_pages_get_nothing(laptop_azure: AzureAddresses) -> None:
    """
    A browser on this machine reaches the port too; with an Origin, or without the header, there is no token.
    """
    path = "/msi/token?resource=https://iothubs.azure.net&api-version=2019-08-01"
    secret = {"X-IDENTITY-HEADER": laptop_azure.identity["IDENTITY_HEADER"]}
    statuses = []
    for headers in ({}, {**secret, "Origin": "https://example.com"}, {**secret, "Host": "example.com"}, secret):
        connection = http.client.HTTPConnection("127.0.0.1", port_of(laptop_azure), timeout=10)
        connection.request("GET", path, headers=headers)
        statuses.append(connection.getresponse().status)
        connection.close()

    assert [403, 403, 421, 200] == statuses


def test_the_laptops_own_hooks_want_the_operators_secret(laptop_azure: AzureAddresses) -> None:
    """
    Telemetry and attempts are read, and a message is sent to a device, by the operator only.
    """
    answers = []
    for secret in ("", laptop_azure.client_secret):
        for path in ("/laptop/telemetry", "/laptop/attempts"):
            connection = http.client.HTTPConnection("127.0.0.1", port_of(laptop_azure), timeout=10)
            connection.request("GET", path, headers={"X-Laptop-Secret": secret})
            answer = connection.getresponse()
            answers.append((answer.status, type(json.loads(answer.read()))))
            connection.close()

    assert [(403, dict), (403, dict), (200, list), (200, list)] == answers


def test_its_certificate_is_for_the_names_of_public_azure(laptop_azure: AzureAddresses) -> None:
    """
    Whoever trusts the laptop's CA, and nobody else's word, believes each service's name.
    """
    context = ssl.create_default_context(cafile=str(laptop_azure.ca_file))
    for host in (laptop_azure.hub, laptop_azure.dps, "login.microsoftonline.com", "management.azure.com"):
        with socket.create_connection(("127.0.0.1", port_of(laptop_azure)), timeout=10) as wire:
            wire.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += wire.recv(1)
            with context.wrap_socket(wire, server_hostname=host) as tls:
                assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_nothing_binds_but_loopback_and_nothing_is_left(tmp_path: Path) -> None:
    """
    Every listening socket of the process is on 127.0.0.1; after the end there is no process and no port.
    """
    folder = tmp_path / "azure"
    with AzureProcess(folder, **IDS) as running:
        # 127.0.0.1, as the kernel writes it
        assert {"0100007F"} == processes.listening(processes.of(folder))
        with socket.create_connection(("127.0.0.1", running.port)) as wire:
            wire.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            wire.recv(100)
            running.restart()
            assert b"" == wire.recv(100)

    assert not processes.of(folder)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port))


def test_no_secret_is_in_the_log_or_open_to_others(tmp_path: Path) -> None:
    """
    Keys are 0600, and the log has neither the operator's secret nor a token.
    """
    folder = tmp_path / "azure"
    with AzureProcess(folder, **IDS) as running:
        secret = running.operator.secret

    texts = {path: path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if secret in text or "eyJ" in text]
    assert {0o600} == {path.stat().st_mode & 0o777 for path, text in texts.items() if "PRIVATE KEY" in text}
