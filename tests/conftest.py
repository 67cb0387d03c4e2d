"""
What more than one suite needs.
"""

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from firstlight.local.addresses import Addresses
    from firstlight.local.azure_addresses import AzureAddresses


@pytest.fixture(scope="session")
def bare_aws(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Addresses]":
    """
    A laptop AWS without stacks and front door, shared: use names of your own in it.
    """
    from firstlight.local.addresses import Addresses  # noqa: PLC0415 -- most suites never ask for it
    from firstlight.local.control_plane import ROOT, ControlPlane  # noqa: PLC0415 -- as above

    with ControlPlane(tmp_path_factory.mktemp("bare-aws"), region="eu-west-1") as running:
        yield Addresses(
            endpoint_url=running.endpoint_url, region=running.region, account=running.account, credentials=ROOT
        )


@pytest.fixture(scope="session")
def laptop_azure(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[AzureAddresses]":
    """
    A laptop Azure with the template of one region deployed, shared: use names of your own in it.

    Its hub is so large that its throttle is in nobody's way.
    """
    from firstlight.local.laptop import Laptop  # noqa: PLC0415 -- most suites never ask for it

    folder = tmp_path_factory.mktemp("laptop-azure")
    regions = folder / "regions.toml"
    regions.write_text("""
[azure.westeurope]
token_key_url = "https://keys.example.com/key.pem"
hub_sku = "S3"
hub_units = 10
""")
    with Laptop(folder / "state", regions=regions) as addresses:
        assert addresses.azure is not None
        yield addresses.azure


def pytest_configure() -> None:
    """
    Whoever runs the tests in the background has them ignore signals, which every process they start would inherit.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
