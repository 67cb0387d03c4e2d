"""
What the engineer's shell knows of AWS and of proxies does not reach the laptop's AWS.
"""

from pathlib import Path

import pytest

from firstlight.local.addresses import Addresses, unproxied
from tests.command_line import runner

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every request that asks for a proxy fails.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, NOBODY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_proxy_is_not_asked_for_the_laptop(bare_aws: Addresses, behind_a_proxy: None) -> None:
    """
    A loopback address is reached directly.
    """
    assert "FirstlightNobody" not in [t["thingName"] for t in bare_aws.client("iot").list_things()["things"]]


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_is_not_looked_for(bare_aws: Addresses, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """
    With credentials at hand it does not matter that the profile does not exist.
    """
    monkeypatch.setenv(variable, "nosuch")

    assert bare_aws.account == bare_aws.client("sts").get_caller_identity()["Account"]


def test_configuration_files_are_not_read(bare_aws: Addresses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    With credentials at hand a broken file breaks nothing.
    """
    (tmp_path / "broken").write_text("[profile\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "broken"))

    assert bare_aws.account == bare_aws.client("sts").get_caller_identity()["Account"]


def test_commands_reach_the_laptop_behind_a_proxy(
    bare_aws: Addresses, behind_a_proxy: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    With what `firstlight local env` exports, `firstlight ca list` asks the laptop's AWS.
    """
    for name, value in (bare_aws.environment | unproxied({})).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    assert 0 == runner(monkeypatch, capsys)("ca", "list").code


@pytest.mark.parametrize(
    ("environ", "upper", "lower"),
    [
        ({}, "127.0.0.1,localhost", "127.0.0.1,localhost"),
        ({"NO_PROXY": "example.com"}, *(["example.com,127.0.0.1,localhost"] * 2)),
        ({"no_proxy": "a, b,"}, *(["a,b,127.0.0.1,localhost"] * 2)),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "a,127.0.0.1,localhost", "b,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost,a"}, *(["localhost,a,127.0.0.1"] * 2)),
        ({"no_proxy": "*"}, "*", "*"),
    ],
)
def test_exceptions_of_the_proxy_are_kept(environ: dict[str, str], upper: str, lower: str) -> None:
    """
    What went past the proxy before still does.
    """
    assert {"NO_PROXY": upper, "no_proxy": lower} == unproxied(environ)
