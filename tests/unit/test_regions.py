from pathlib import Path

import pytest

from firstlight import regions
from firstlight.errors import RegionsError
from firstlight.identity import Naming

_KEY = 'token_key_url = "https://cloudid.example/key.pem"\n'


def _load(folder: Path, text: str) -> tuple[regions.AwsRegion, ...]:
    path = folder / "regions.toml"
    path.write_text(text)
    return regions.load(path).aws


def test_defaults_hold_where_a_region_says_nothing(tmp_path: Path) -> None:
    """
    One table, one set of stacks, in the file's order.
    """
    (tmp_path / "ca.pem").write_text("x")
    first, second = _load(
        tmp_path,
        f'[defaults]\n{_KEY}topic = "up"\n[aws.eu-west-1]\nca_certificates = ["ca.pem"]\nnaming = "fingerprint"\n'
        '[aws.us-east-1]\ntopic = "down"\n',
    )

    assert ("eu-west-1", "up", Naming.FINGERPRINT) == (first.name, first.topic, first.naming)
    assert (tmp_path / "ca.pem").resolve() == first.ca_certificates[0]
    assert ("us-east-1", "down", Naming.SERIAL) == (second.name, second.topic, second.naming)
    assert second == regions.find((first, second), "us-east-1")


def test_the_committed_file_names_two_regions() -> None:
    """
    The repository's own regions.toml is one a newcomer can synthesize.
    """
    assert ["eu-west-1", "us-east-1"] == [r.name for r in regions.load(Path("regions.toml")).aws]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[aws", "is not TOML"),
        ("", "names no region"),
        ("[gcp.x]\n", "unknown key 'gcp'"),
        (f"[aws.eu-west-1]\n{_KEY}colour = 1\n", "aws.eu-west-1: unknown key 'colour'"),
        (f"[aws.mars-west-1]\n{_KEY}", "'mars-west-1' is not the name of an AWS region"),
        (f"[aws.eu-west]\n{_KEY}", "'eu-west' is not the name"),
        ("[aws.eu-west-1]\n", "exactly one of token_key_url and token_key_file"),
        ('[aws.eu-west-1]\ntoken_key_url = "http://x"\n', "not an https URL"),
        (f'[aws.eu-west-1]\n{_KEY}ca_certificates = ["gone.pem"]\n', "gone.pem does not exist"),
        (f'[aws.eu-west-1]\n{_KEY}ca_certificates = "ca.pem"\n', "must be a list of strings"),
        (f"[aws.eu-west-1]\n{_KEY}throttle_rate = true\n", "must be a whole number"),
        (f"[aws.eu-west-1]\n{_KEY}throttle_rate = 0\n", "must be positive"),
        (f'[aws.eu-west-1]\n{_KEY}quotas = ["AttachPolicy: 3"]\n', "'AttachPolicy: 3' in quotas is not of the form"),
        (f'[aws.eu-west-1]\n{_KEY}naming = "colour"\n', "must be one of serial, common-name, fingerprint"),
        (f'[aws.eu-west-1]\n{_KEY}account = "12"\n', "is not 12 digits"),
        (f'[aws.eu-west-1]\n{_KEY}first_connect = "all"\n', "must be one of template, allow-list"),
        (f"[aws.eu-west-1]\n{_KEY}stuck_after = 1\n", "stuck_after is 1; it may be 2 to 1000"),
        (f"[aws.eu-west-1]\n{_KEY}ingest = false\njitp = false\n", "nothing to deploy"),
        ("aws = 1\n", "aws is not a table"),
    ],
)
def test_a_wrong_file_ends_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    """
    The sentence names the file, the place and the fault.
    """
    with pytest.raises(RegionsError) as caught:
        _load(tmp_path, text)
    assert reason in str(caught.value)
    assert "regions.toml" in str(caught.value)


def test_a_missing_file_and_a_missing_region(tmp_path: Path) -> None:
    """
    Both are the caller's slip, said as such.
    """
    with pytest.raises(RegionsError, match=r"cannot be read: No such file or directory\. Go to the folder that has it"):
        regions.load(tmp_path / "none.toml")
    with pytest.raises(RegionsError, match="No region is called 'x'"):
        regions.find(_load(tmp_path, f"[aws.eu-west-1]\n{_KEY}"), "x")


def test_a_first_connect_has_an_allow_list_where_that_is_said(tmp_path: Path) -> None:
    """
    Whoever says nothing has JITP, as before.
    """
    plain, listed = _load(
        tmp_path,
        f'[defaults]\n{_KEY}[aws.eu-west-1]\n[aws.us-east-1]\nfirst_connect = "allow-list"\nstuck_after = 9\n',
    )

    assert (regions.FirstConnect.TEMPLATE, 5) == (plain.first_connect, plain.stuck_after)
    assert (regions.FirstConnect.ALLOW_LIST, 9) == (listed.first_connect, listed.stuck_after)
