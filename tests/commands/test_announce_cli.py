"""
`firstlight announce`: what it asks for, and how it refuses.
"""

from pathlib import Path

import pytest

from firstlight import pki
from tests.command_line import Firstlight, runner
from tests.factory import Factory


@pytest.fixture
def firstlight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    # nothing listens there, and nothing is asked
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return runner(monkeypatch, capsys)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "device.pem"
    pki.write_certificate(path, Factory().leaf("device-1"))
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "azure:westeurope"], "Allow-lists are of AWS IoT alone."),
        (["--to", "eu-west-1"], "'eu-west-1' is no destination."),
        (["--to", "aws:eu-west-1", "--withdraw", "--expires", "3"], "exclude each other"),
        (["--to", "aws:eu-west-1", "--thing-prefix", "p-"], "--thing-prefix goes with --naming"),
        (["--to", "aws:eu-west-1", "--naming", "serial", "--thing-prefix", "a b"], "letters, digits"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    firstlight: Firstlight, certificate: Path, arguments: list[str], said: str
) -> None:
    """
    In one sentence, before anything is written.
    """
    ran = firstlight("announce", certificate, *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert said in ran.said


def test_a_file_that_is_none_is_refused_before_any_is_announced(
    firstlight: Firstlight, certificate: Path, tmp_path: Path
) -> None:
    """
    A slip in the last name announces nothing of the first.
    """
    ran = firstlight("announce", certificate, tmp_path / "gone.csv", "--to", "aws:eu-west-1")

    assert (2, "") == (ran.code, ran.out)
    assert "gone.csv cannot be read" in ran.said
