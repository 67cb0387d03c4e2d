"""
`firstlight verify aws` and what it cannot use: one sentence, exit 2, nothing connected.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firstlight import pki
from tests.command_line import Firstlight, runner
from tests.factory import Factory


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    return runner(monkeypatch, capsys)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """
    A folder with device.pem, device.key and expired.pem of the same key.
    """
    factory = Factory(now=datetime.now(UTC))
    certificate, key = factory.device("bench-1")
    pki.write_certificate(tmp_path / "device.pem", certificate)
    pki.write_key(tmp_path / "device.key", key)
    past = Factory(now=datetime.now(UTC) - timedelta(days=1000))
    expired = pki.issue_device(
        ca=past.ca, ca_key=past.key, key_or_public_key=key, common_name="bench-1", days=30, now=past.now
    )
    pki.write_certificate(tmp_path / "expired.pem", expired)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--endpoint": "mqtts://localhost"}, "--endpoint is a host name alone, not 'mqtts://localhost'."),
        ({"--endpoint": "localhost:8883"}, "Write localhost --port 8883."),
        ({"--endpoint": "abc.iot.eu-west-1.amazonaws.com"}, "that one has -ats in its name."),
        ({"--cert": "absent.pem"}, "absent.pem: No such file or directory."),
        ({"--cert": "expired.pem"}, "out of range: expired"),
        ({"--cert": "device.key"}, "a private key was sent instead"),
        ({"--key": "device.pem"}, "device.pem holds no private key."),
        ({"--ca-file": "device.key"}, "holds no certificate in PEM."),
        ({"--client-id": "not/a/thing"}, "cannot be a thing's name"),
        ({"--port": "0"}, "Invalid value for '--port'"),
        ({"--timeout": "0"}, "Invalid value for '--timeout'"),
        ({"--protocol": "4"}, "Invalid value for '--protocol'"),
    ],
)
def test_what_cannot_be_used_is_said_with_exit_2(
    firstlight: Firstlight, device: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    monkeypatch.chdir(device)
    options = {"--endpoint": "localhost", "--cert": "device.pem", "--key": "device.key", **changes}
    ran = firstlight("verify", "aws", *(part for option in options.items() for part in option))

    assert 2 == ran.code
    assert sentence in ran.said
    assert "" == ran.out
    assert "Traceback" not in ran.said
    assert "PRIVATE" not in ran.said
