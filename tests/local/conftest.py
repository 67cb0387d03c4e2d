"""
One laptop for all tests that only use it, with the stacks of a region of their own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight import pki, push
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.pki import PrivateKey
from tests.factory import Factory

REGION = "eu-west-1"


@dataclass(frozen=True, kw_only=True)
class Site:
    """
    What an operator has: a regions file, the maker whose CA it names, the key that signs the service's tokens.
    """

    regions: Path
    maker: Factory
    token_key: PrivateKey


@pytest.fixture(scope="session")
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    """
    A function that makes a site of its own.
    """

    def make() -> Site:
        folder = tmp_path_factory.mktemp("site")
        maker = Factory("Test Maker CA", now=datetime.now(UTC))
        token_key = pki.new_key()
        (folder / "ca.pem").write_text(maker.ca.pem)
        (folder / "token.pem").write_bytes(pki.public_pem(token_key))
        regions = folder / "regions.toml"
        regions.write_text(f"""
[aws.{REGION}]
token_key_file = "token.pem"
ca_certificates = ["ca.pem"]
""")
        return Site(regions=regions, maker=maker, token_key=token_key)

    return make


@pytest.fixture(scope="session")
def site(new_site: Callable[[], Site]) -> Site:
    return new_site()


@pytest.fixture(scope="session")
def laptop(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """
    The laptop clouds with the site's stacks.
    """
    with Laptop(tmp_path_factory.mktemp("laptop"), regions=site.regions) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def authorization(site: Site, laptop: Addresses) -> push.Authorization:
    """
    What the Cloud ID service sends: a token for this account.
    """
    return push.bearer(site.token_key, laptop.account, now=lambda: datetime.now(UTC))
