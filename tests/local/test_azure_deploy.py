"""
`firstlight azure deploy` as an operator runs it: a process of its own, production host names, the real libraries.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.local.azure_cloud.process import AzureProcess
from tests.factory import Factory

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_TENANT = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureProcess]:
    with AzureProcess(tmp_path / "azure", subscription=_SUBSCRIPTION, tenant=_TENANT) as process:
        yield process


def _firstlight(azure: AzureProcess, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HTTPS_PROXY": azure.proxy_url,
        "REQUESTS_CA_BUNDLE": str(azure.ca_file),
        "AZURE_TENANT_ID": _TENANT,
        "AZURE_CLIENT_ID": azure.operator.client_id,
        "AZURE_CLIENT_SECRET": azure.operator.secret,
        "AZURE_SUBSCRIPTION_ID": _SUBSCRIPTION,
        "FIRSTLIGHT_REGIONS_FILE": str(folder / "regions.toml"),
    }
    command = [sys.executable, "-m", "firstlight", *arguments, "--region", "westeurope", "--json"]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=120)


def test_a_region_is_deployed_by_one_command(azure: AzureProcess, tmp_path: Path) -> None:
    """
    DefaultAzureCredential and three management libraries, unmodified, through the proxy; then everything is there.
    """
    factory = Factory()
    pki.write_certificate(tmp_path / "ca.pem", factory.ca)
    pki.write_key(tmp_path / "ca.key", factory.key)
    (tmp_path / "regions.toml").write_text(
        '[azure.westeurope]\ntoken_key_url = "https://cloudid.example/key.pem"\nca_certificates = ["ca.pem"]\n'
    )

    deployed = _firstlight(azure, tmp_path, "azure", "deploy", "--ca-key", str(tmp_path / "ca.key"))
    foreseen = _firstlight(azure, tmp_path, "azure", "deploy", "--what-if")
    cas = _firstlight(azure, tmp_path, "azure", "ca", "list")
    groups = _firstlight(azure, tmp_path, "azure", "enrollment-group", "list")
    drained = _firstlight(azure, tmp_path, "drain", "--cloud", "azure", "--yes")

    assert (0, 2) == (deployed.returncode, deployed.stderr.count("verified by proof of possession")), deployed.stderr
    assert json.loads(deployed.stdout)["hubHostName"].endswith(".azure-devices.net")
    assert {"NoChange"} == {c["change"] for c in json.loads(foreseen.stdout)["changes"]}
    assert ["verified", "verified"] == [ca["state"] for ca in json.loads(cas.stdout)]
    assert ["enabled"] == [g["status"] for g in json.loads(groups.stdout)]
    assert 0 == drained.returncode, drained.stderr
    assert "1 DISABLED, 3 DELETED" in drained.stderr
