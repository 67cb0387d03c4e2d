"""
`firstlight verify azure` and what it cannot use: one sentence, exit 2, nothing connected.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.verify.azure_target import name_of
from tests.command_line import Firstlight, runner
from tests.factory import Factory


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    return runner(monkeypatch, capsys)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """
    A folder with device.pem and device.key, and factory.pem of a factory's shape with its factory.key.
    """
    factory = Factory(now=datetime.now(UTC))
    for name, common_name in (("device", "bench-1"), ("factory", '""')):
        certificate, key = factory.device(common_name, 0x0455AECB)
        pki.write_certificate(tmp_path / f"{name}.pem", certificate)
        pki.write_key(tmp_path / f"{name}.key", key)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--hub": "h.azure-devices.net"}, "Give either --id-scope or --hub."),
        ({"--id-scope": ""}, "Give either --id-scope or --hub."),
        ({"--id-scope": "", "--hub": "https://h.azure-devices.net"}, "--hub is a host name alone"),
        ({"--provisioning-host": "a/b"}, "--provisioning-host is a host name alone"),
        ({"--registration-id": "bench-2"}, "is not the certificate's common name 'bench-1': DPS refuses the device."),
        ({"--cert": "factory.pem", "--key": "factory.key"}, "DPS can never let this device in."),
        ({"--cert": "factory.pem", "--key": "factory.key"}, "Push the certificate instead"),
        ({"--id-scope": "", "--hub": "localhost", "--device-id": "a/b"}, "'a/b' cannot be the id of a device."),
        ({"--proxy": "socks5://localhost"}, "is not an HTTP proxy's URL. Write http://HOST:PORT."),
        ({"--key": "factory.key"}, "device.pem"),
        ({"--ca-file": "device.key"}, "holds no certificate in PEM."),
        ({"--timeout": "0"}, "Invalid value for '--timeout'"),
    ],
)
def test_what_cannot_be_used_is_said_with_exit_2(
    firstlight: Firstlight, devices: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    monkeypatch.chdir(devices)
    options = {"--id-scope": "0ne00000001", "--cert": "device.pem", "--key": "device.key", **changes}
    ran = firstlight("verify", "azure", *(part for option in options.items() for part in option))

    assert 2 == ran.code
    assert sentence in ran.said
    assert "" == ran.out
    assert "Traceback" not in ran.said
    assert "PRIVATE" not in ran.said


def test_a_factorys_device_is_known_by_its_serial(devices: Path) -> None:
    """
    The id a push gives it, leading zero and all, and why its common name is none.
    """
    name, origin = name_of(devices / "factory.pem", through_dps=False)

    assert "0455aecb" == name
    assert "cannot be a device id, so only its thumbprint lets it in" in origin


@pytest.mark.parametrize("through_dps", [True, False])
def test_a_common_name_that_can_be_an_id_is_one(devices: Path, *, through_dps: bool) -> None:
    assert "bench-1" == name_of(devices / "device.pem", through_dps=through_dps)[0]
