import pytest

from firstlight.errors import IdentityError
from firstlight.identity import DeviceIdentity, Naming, NamingRule
from tests.factory import Factory


def test_serials_name_devices_as_the_reference_does(factory: Factory) -> None:
    """
    Firmware computes the same name, so prefix and serial must be exact.
    """
    identity = DeviceIdentity.from_certificate(
        factory.leaf(serial=0x455AECB), NamingRule(Naming.SERIAL, prefix="Infineon_")
    )

    assert "Infineon_0455aecb" == identity.name
    assert "0455aecb" == identity.serial


def test_the_other_rules_take_the_other_facts(factory: Factory) -> None:
    """
    A region chooses what names its devices.
    """
    leaf = factory.leaf(common_name="sensor-1")

    assert "sensor-1" == NamingRule(Naming.COMMON_NAME).name(leaf)
    assert leaf.fingerprint == NamingRule(Naming.FINGERPRINT).name(leaf)


def test_no_common_name_is_no_name(factory: Factory) -> None:
    """
    An empty name would be everybody's name.
    """
    with pytest.raises(IdentityError, match="no common name"):
        NamingRule(Naming.COMMON_NAME).name(factory.leaf(common_name=None))
