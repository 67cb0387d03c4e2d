"""
How a certificate can authenticate to IoT Hub and DPS, and the reason when it cannot.
"""

from dataclasses import replace

import pytest

from firstlight.identity import DeviceIdentity, NamingRule
from firstlight.registries import azure_identity
from firstlight.registries.azure_authentication import Means, authentication
from tests.factory import Factory


def _identity(factory: Factory, common_name: str | None, name: str) -> DeviceIdentity:
    identity = DeviceIdentity.from_certificate(factory.leaf(), NamingRule())
    return replace(identity, name=name, common_name=common_name)


def test_infineons_certificates_authenticate_by_thumbprint_only(factory: Factory) -> None:
    """
    Their common name is two quotes, which no id may hold.
    """
    infineon = DeviceIdentity.from_certificate(factory.leaf(serial=0x0455AECB), NamingRule())

    found = authentication(infineon, Means.CA)

    assert ("0455aecb", '""', Means.THUMBPRINT) == (infineon.name, infineon.common_name, found.means)
    assert "The common name '\"\"' holds characters that no device id may" in found.why_not_by_ca
    assert "The common name '\"\"' cannot be a registration id" in found.why_not_by_dps


@pytest.mark.parametrize(
    ("common_name", "name", "by_ca", "by_dps"),
    [
        ("dev-1", "dev-1", "", ""),
        ("Dev-1", "Dev-1", "", ""),
        ("Dev-1", "dev-1", "is not the device id 'dev-1', case included", ""),
        ("dev-1", "0455aecb", "is not the device id", ""),
        (None, "0455aecb", "has no common name", "has no common name"),
        ("", "0455aecb", "has no common name", "has no common name"),
        ("a b", "a b", "holds characters", "cannot be a registration id"),
        ("a#b", "a#b", "holds characters", "cannot be a registration id"),
        ("dev@1", "dev@1", "", "cannot be a registration id"),
        ("dev.", "dev.", "", "the last a letter, a digit or a hyphen"),
        ("x" * 64, "x" * 64, "", ""),
        ("x" * 65, "x" * 65, "", "up to 64"),
        ("x" * 129, "x" * 129, "or too many", "up to 64"),
    ],
)
def test_what_a_common_name_allows_is_told_with_the_reason(
    factory: Factory, common_name: str | None, name: str, by_ca: str, by_dps: str
) -> None:
    """
    The hub compares it with the device id, DPS takes it as the registration id.
    """
    found = authentication(_identity(factory, common_name, name), Means.CA)

    assert (by_ca == "") == (found.why_not_by_ca == "") == (found.means is Means.CA)
    assert (by_dps == "") == (found.why_not_by_dps == "")
    assert by_ca in found.why_not_by_ca
    assert by_dps in found.why_not_by_dps


def test_thumbprints_are_preferred_unless_wished_otherwise(factory: Factory) -> None:
    """
    They let in one certificate, a CA all of its own with that name.
    """
    identity = _identity(factory, "dev-1", "dev-1")

    assert Means.THUMBPRINT is authentication(identity).means
    assert "" == authentication(identity).why_not_by_ca


def test_what_is_asked_for_is_exactly_this(factory: Factory) -> None:
    """
    ExportImportDevice of API version 2021-04-12; only `create` never changes what is there.
    """
    identity = _identity(factory, "dev-1", "dev-1")
    asked = azure_identity.wanted(identity, Means.THUMBPRINT)

    assert {
        "id": "dev-1",
        "importMode": "create",
        "status": "enabled",
        "authentication": {
            "type": "selfSigned",
            "x509Thumbprint": {"primaryThumbprint": identity.fingerprint.upper()},
        },
    } == asked
    assert {"type": "certificateAuthority"} == azure_identity.wanted(identity, Means.CA)["authentication"]


def test_only_the_device_asked_for_is_looked_at(factory: Factory) -> None:
    """
    Ids are case-sensitive; an answer about another id proves nothing.
    """
    identity = _identity(factory, None, "dev-1")
    proof = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": identity.fingerprint}}
    found = {"deviceId": "dev-1", "status": "enabled", "authentication": proof}

    assert azure_identity.problem(found, identity, Means.THUMBPRINT) is None
    for changed in ({"deviceId": "DEV-1"}, {"status": "disabled"}, {"status": None}, {"authentication": None}):
        assert azure_identity.problem({**found, **changed}, identity, Means.THUMBPRINT) is not None
