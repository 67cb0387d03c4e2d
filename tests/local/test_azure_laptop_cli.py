"""
`firstlight local` with Azure: alone, beside AWS, reset, and what a shell is told.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from firstlight.local.azure_addresses import AzureAddresses
from tests.factory import Factory
from tests.local import processes
from tests.local.test_laptop_cli import Terminal

FREE = ("--port", "0", "--mqtt-port", "0", "--azure-port", "0")
BOTH = """
[aws.eu-west-1]
token_key_url = "https://keys.example.com/key.pem"

[azure.westeurope]
token_key_url = "https://keys.example.com/key.pem"
ca_certificates = ["ca.pem"]

[azure.northeurope]
token_key_url = "https://keys.example.com/key.pem"
"""
# What an operator's program would do in that shell: list devices as whoever the environment says.
LIST = """
import os, requests
from azure.identity import DefaultAzureCredential
token = DefaultAzureCredential().get_token("https://iothubs.azure.net/.default").token
url = f"https://{os.environ['LAPTOP_AZURE_HUB']}/devices?api-version=2021-04-12"
print(requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).json())
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """
    A state folder of its own and a regions file with both clouds; whatever still runs at the end is stopped.
    """
    (tmp_path / "ca.pem").write_text(Factory("Laptop Maker CA").ca.pem)
    regions = tmp_path / "regions.toml"
    regions.write_text(BOTH)
    terminal = Terminal(tmp_path / "state", regions)
    yield terminal
    terminal.run("down")
    assert processes.soon(lambda: not processes.of(terminal.folder))


def up(terminal: Terminal, *options: str) -> Any:
    return terminal.json("up", "--detach", "--regions", str(terminal.regions), *FREE, *options)


def test_azure_alone_from_up_to_down(terminal: Terminal) -> None:
    """
    No AWS is started; env is what a shell needs, and a program in it meets the hub; down leaves nothing.
    """
    found = up(terminal, "--only", "azure")
    assert ("", "westeurope") == (found["endpoint_url"], found["azure"]["region"])
    assert found == terminal.json("status")
    assert 0o600 == (terminal.folder / "laptop.json").stat().st_mode & 0o777
    exports = terminal.run("env").stdout
    assert "AWS_" not in exports

    script = f'export https_proxy=http://elsewhere\n{exports}\nexec "$0" -c "$1"'
    said = subprocess.run(
        ["sh", "-c", script, sys.executable, LIST], capture_output=True, text=True, check=False, env=os.environ.copy()
    )

    assert "[]\n" == said.stdout, said.stderr
    assert "Stopped.\n" == terminal.run("down").stderr
    assert processes.soon(lambda: not processes.of(terminal.folder))


def test_both_clouds_come_and_go_together(terminal: Terminal) -> None:
    """
    Without --only, what the file has regions of; --region names one cloud's, the other takes its first.
    """
    found = up(terminal, "--no-stacks", "--region", "northeurope")

    assert ("eu-west-1", "northeurope") == (found["region"], found["azure"]["region"])
    env = terminal.json("env")
    assert found["endpoint_url"] == env["AWS_ENDPOINT_URL"]
    assert found["azure"]["proxy_url"] == env["HTTPS_PROXY"]
    table = terminal.run("status").stdout
    assert found["endpoint_url"] in table
    assert found["azure"]["proxy_url"] in table


def test_aws_alone_has_no_azure(terminal: Terminal) -> None:
    """
    As it was before there were two.
    """
    found = up(terminal, "--no-stacks", "--only", "aws")

    assert found["azure"] is None
    assert "HTTPS_PROXY" not in terminal.json("env")


def test_reset_forgets_azures_devices_too(terminal: Terminal) -> None:
    """
    The same port, the same secret, the same names; no device.
    """
    before = AzureAddresses.from_json(up(terminal, "--only", "azure")["azure"])
    assert 1 == len(devices(before, create="old"))

    after = AzureAddresses.from_json(terminal.json("reset")["azure"])

    assert (before.proxy_url, before.client_secret, before.hub) == (after.proxy_url, after.client_secret, after.hub)
    assert [] == devices(after)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--only", "azure", "--region", "eu-west-1"), "No region is called 'eu-west-1'"),
        (("--region", "nowhere"), "No region is called 'nowhere'"),
    ],
)
def test_a_region_that_is_not_there_is_one_sentence(terminal: Terminal, options: tuple[str, ...], says: str) -> None:
    """
    Exit 2, nothing started.
    """
    done = terminal.run("up", "--regions", str(terminal.regions), *FREE, *options)

    assert 2 == done.returncode
    assert says in done.stderr
    assert not processes.of(terminal.folder)


def test_a_file_without_azure_is_one_sentence(terminal: Terminal) -> None:
    """
    --only azure wants a region of it, and the sentence says how to have one.
    """
    terminal.regions.write_text('[aws.eu-west-1]\ntoken_key_url = "https://keys.example.com/key.pem"\n')

    done = terminal.run("up", "--regions", str(terminal.regions), *FREE, "--only", "azure")

    assert 2 == done.returncode
    assert "names no region of azure" in done.stderr
    assert "Traceback" not in done.stderr


def devices(azure: AzureAddresses, *, create: str = "") -> list[Any]:
    """
    Return the hub's devices, with *create* among them, as the operator.
    """
    session = requests.Session()
    # or REQUESTS_CA_BUNDLE would come first
    session.trust_env = False
    session.proxies, session.verify = {"https": azure.proxy_url}, str(azure.ca_file)
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.client_id,
        "client_secret": azure.client_secret,
        "scope": "https://iothubs.azure.net/.default",
    }
    with session:
        token = session.post(
            f"https://login.microsoftonline.com/{azure.tenant}/oauth2/v2.0/token", data=form, timeout=10
        ).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        url, version = f"https://{azure.hub}/devices", {"api-version": "2021-04-12"}
        if create:
            session.post(url, params=version, json=[{"id": create, "importMode": "create"}], timeout=10)
        found: list[Any] = session.get(url, params=version, timeout=10).json()
    return found
