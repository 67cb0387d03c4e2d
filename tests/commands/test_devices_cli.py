"""
`firstlight devices`, `ca retire` and `drain`, asked wrongly: one sentence each, before any cloud is asked.
"""

from pathlib import Path

import pytest

from tests.command_line import Firstlight, runner


@pytest.fixture
def firstlight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firstlight:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AZURE_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none-of-ours")
    (tmp_path / "regions.toml").write_text(
        '[defaults]\ntoken_key_url = "https://cloudid.example/key.pem"\n'
        '[aws.eu-west-1]\nca_certificates = ["names"]\n[azure.westeurope]\n'
    )
    (tmp_path / "names").write_text("# nobody\n\n")
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("sentence", "arguments"),
    [
        ("There is no region. Give --region, or set AWS_REGION.", ["devices", "list"]),
        ("There is no region.", ["drain"]),
        ("There is no region.", ["ca", "retire", "0" * 64]),
        ("No device is named.", ["devices", "disable", "--region", "eu-west-1"]),
        ("No device is named.", ["devices", "retire", "--file", "names", "--region", "eu-west-1"]),
        ("Cannot read nowhere: No such file or directory.", ["devices", "enable", "--file", "nowhere"]),
        ("Cannot read noise: it is not text.", ["devices", "enable", "--file", "noise"]),
        ("names: ", ["devices", "show", "--cert", "names", "--region", "eu-west-1"]),
        ("Give a name, or --cert.", ["devices", "show", "--region", "eu-west-1"]),
        ("Give a name, or --cert.", ["devices", "show", "dev", "--cert", "names", "--region", "eu-west-1"]),
        ("'Delete=fast' is no quota.", ["devices", "list", "--region", "eu-west-1", "--quota", "Delete=fast"]),
        ("'asleep' is no state of a device here.", ["devices", "list", "--region", "eu-west-1", "--state", "asleep"]),
        ("No region is called 'eu-west-2'.", ["drain", "--region", "eu-west-2"]),
        ("No region is called 'mars'.", ["devices", "list", "--cloud", "azure", "--region", "mars"]),
        ("There is no subscription.", ["devices", "list", "--cloud", "azure", "--region", "westeurope"]),
        ("There is no subscription.", ["drain", "--cloud", "azure"]),
    ],
)
def test_who_asks_wrongly_is_told(firstlight: Firstlight, sentence: str, arguments: list[str]) -> None:
    """
    And nothing goes to stdout.
    """
    ran = firstlight(*arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.said
