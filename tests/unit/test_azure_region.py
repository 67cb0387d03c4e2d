"""
What regions.toml may say of an Azure region, checked before anything is deployed.
"""

from pathlib import Path

import pytest

from firstlight import regions
from firstlight.errors import RegionsError

_KEY = 'token_key_url = "https://cloudid.example/key.pem"\n'


def _load(folder: Path, text: str) -> regions.Regions:
    path = folder / "regions.toml"
    path.write_text(text)
    return regions.load(path)


def test_both_clouds_share_the_defaults_they_know(tmp_path: Path) -> None:
    """
    A key that only one cloud has is no mistake in the defaults.
    """
    found = _load(tmp_path, f'[defaults]\n{_KEY}hub_sku = "F1"\nstage = "v2"\n[aws.eu-west-1]\n[azure.westeurope]\n')

    assert ("F1", "v2") == (found.azure[0].hub_sku, found.aws[0].stage)
    assert {found.aws[0].token_key_url} == {found.azure[0].token_key_url}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('resource_group = "twelve-chars"', "'twelve-chars' is not 2 to 11 lower-case letters"),
        ('resource_group = "Upper"', "'Upper' is not 2 to 11 lower-case letters"),
        ('resource_group = "ends-"', "'ends-' is not 2 to 11 lower-case letters"),
        ('hub_sku = "B1"', "'B1' is not one of F1, S1, S2, S3; basic hubs have no twins"),
        ('hub_sku = "F1"\nhub_units = 2', "hub_units is 2; an F1 hub has one"),
        ('quotas = ["RegisterCertificateWithoutCA=100"]', "of a hub it is as in"),
        ("ingest = false\nmanifest_uploads = true", "manifest_uploads needs ingest"),
        ("ingest = false\ndps = false", "nothing to deploy but a hub"),
        ('subscription = "mine"', "'mine' is not a UUID"),
        ("log_retention_days = 7", "Log Analytics keeps 30 to 730"),
        ('alert_email = "ops"', "'ops' is not an e-mail address"),
        ('thing_prefix = "a b"', "holds more than a device id may"),
        ('policy = "x"', "unknown key 'policy'"),
        ('ca_certificates = ["none.pem"]', "none.pem does not exist"),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    """
    It names the file, the region and the key; nothing was asked of Azure.
    """
    with pytest.raises(RegionsError, match=r"regions\.toml: azure\.westeurope") as raised:
        _load(tmp_path, f"[azure.westeurope]\n{_KEY}{line}\n")
    assert sentence in str(raised.value)


def test_a_name_that_is_no_region_is_told(tmp_path: Path) -> None:
    """
    AWS's way to write one, say.
    """
    with pytest.raises(
        RegionsError, match=r"'eu-west-1' is not the name of an Azure region; write it as in westeurope"
    ):
        _load(tmp_path, f"[azure.eu-west-1]\n{_KEY}")


@pytest.mark.parametrize("keys", ["", _KEY + 'token_key_file = "key.pem"\n'])
def test_the_token_key_comes_from_one_place(tmp_path: Path, keys: str) -> None:
    """
    From an address or from a file, where pushes are taken.
    """
    (tmp_path / "key.pem").touch()
    with pytest.raises(RegionsError, match="exactly one of token_key_url and token_key_file"):
        _load(tmp_path, f"[azure.westeurope]\n{keys}")
