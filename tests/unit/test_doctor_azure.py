"""
What the doctor says of Azure where a laptop's cannot be brought to it: names without certificates, no DPS.
"""

from dataclasses import replace
from typing import Any

import pytest

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.doctor.azure_case import AzureCase, Dps, Enrollment, Hub, Identity, Told, Uploaded, thumbprints
from firstlight.doctor.azure_causes import CAUSES
from firstlight.doctor.azure_chain import Rung, is_of, path
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis, Verdict
from firstlight.doctor.examination import examine
from firstlight.doctor.facts import Fact
from tests.factory import NOW, Factory

ROOT = Factory("Root")
KEY = pki.new_key()
BELOW = pki.create_ca("Below", key=KEY, issuer=(ROOT.ca, ROOT.key), now=NOW)
HUB = "hub.azure-devices.net"


def leaf(name: str = "sensor-1") -> Certificate:
    return pki.issue_device(ca=BELOW, ca_key=KEY, key_or_public_key=pki.new_key(), common_name=name, now=NOW)


def case_of(device: Device, *, through_dps: bool = True, **changes: Any) -> AzureCase:
    root = Uploaded(name="root", subject="CN=Root", verified=True, certificate=ROOT.ca)
    dps = Dps(
        name="dps",
        host="dps.azure-devices-provisioning.net",
        id_scope="0ne1",
        hubs=Fact((HUB,)),
        cas=Fact((root,)),
        groups=Fact((Enrollment(name="makers", enabled=True, ca_name="root"),)),
    )
    facts = {"dps": Fact(dps), "hub": Fact(Hub(host=HUB)), **changes}
    return AzureCase(
        device=device,
        region="westeurope",
        group="firstlight",
        told=Told(id_scope="0ne1") if through_dps else Told(hub=HUB),
        through_dps=through_dps,
        name=device.name or "sensor-1",
        **facts,
    )


def diagnosed(case: AzureCase) -> Diagnosis:
    return examine(case, CAUSES, cloud="azure", device=case.name, certificate="c", connection=None)


def codes(case: AzureCase) -> list[str]:
    return [finding.code for finding in diagnosed(case).findings]


def newcomer(**changes: Any) -> AzureCase:
    return case_of(Device(certificate=leaf(), chain=(BELOW,), now=NOW), **changes)


def of_dps(case: AzureCase, **changes: Any) -> AzureCase:
    assert case.dps.value is not None
    return replace(case, dps=Fact(replace(case.dps.value, **changes)))


def test_a_device_whose_chain_leads_to_an_enrolled_ca_has_nothing_in_its_way() -> None:
    """
    And what was looked at is told.
    """
    diagnosis = diagnosed(newcomer())

    assert (Verdict.HEALTHY, (), ()) == (diagnosis.verdict, diagnosis.findings, diagnosis.unread)


def test_a_region_without_a_provisioning_service() -> None:
    """
    Nothing else is said of what is not there.
    """
    assert ["no-dps"] == codes(newcomer(dps=Fact(None)))


def test_an_enrollment_that_asks_for_a_hub_that_is_not_linked() -> None:
    """
    The laptop's DPS refuses such an enrollment; a hub may be unlinked later.
    """
    groups = Fact((Enrollment(name="makers", enabled=True, ca_name="root", hub="other.azure-devices.net"),))

    assert ["hub-not-linked"] == codes(of_dps(newcomer(), groups=groups))


def test_ca_certificates_are_found_by_name_where_the_cloud_shows_no_more() -> None:
    """
    In whichever order it writes the parts of a name.
    """
    named = Uploaded(name="root", subject="CN=Root", verified=False)
    case = of_dps(newcomer(), cas=Fact((named,)))
    ordered = Uploaded(name="root", subject="O=Maker, CN=Root", verified=True)

    assert ["ca-not-verified"] == codes(case)
    assert is_of(
        Enrollment(name="g", enabled=True, ca_name="root"), Rung("CN=Root,O=Maker", "CN=Root,O=Maker"), [ordered]
    )


def test_a_group_with_a_certificate_of_its_own_is_found_by_what_is_shown_of_it() -> None:
    """
    The device sends its certificate alone; the group's certificate stands between it and the root.
    """
    group = Enrollment(name="below", enabled=True, thumbprint=BELOW.fingerprint, subject="CN=Below", issuer="CN=Root")
    case = of_dps(newcomer(), groups=Fact((group,)))
    alone = replace(case, device=replace(case.device, chain=()))

    assert ([], []) == (codes(case), codes(alone))
    assert ["CN=Below", "CN=Root"] == [rung.subject for rung in path(leaf(), (), case.dps.value.cas.value, [group])]  # type: ignore[union-attr]


def test_names_that_issue_each_other_end_somewhere() -> None:
    """
    A path does not go in circles.
    """
    circle = [
        Enrollment(name="one", enabled=True, subject="CN=Below", issuer="CN=Above"),
        Enrollment(name="two", enabled=True, subject="CN=Above", issuer="CN=Below"),
    ]

    assert ["CN=Below", "CN=Above"] == [rung.subject for rung in path(leaf(), (), (), circle)]


@pytest.mark.parametrize("number", [0, 1], ids=["SHA-256", "SHA-1"])
def test_either_thumbprint_lets_a_device_in(number: int) -> None:
    """
    Many hubs have SHA-1, in any case of letters.
    """
    certificate = leaf()
    shown = sorted(thumbprints(certificate), key=len, reverse=True)[number]
    identity = Identity(id="sensor-1", kind="selfSigned", thumbprints=frozenset({shown}))
    hub = Fact(Hub(host=HUB, identity=Fact(identity)))

    assert [] == codes(case_of(Device(certificate=certificate, now=NOW), through_dps=False, hub=hub))


def test_a_hub_that_may_not_be_read_leaves_the_device_open() -> None:
    """
    Nothing is said of the device, and the problem once.
    """
    diagnosis = diagnosed(
        case_of(Device(certificate=leaf(), now=NOW), through_dps=False, hub=Fact(unread="could not read the hub"))
    )

    assert (Verdict.UNDECIDED, ()) == (diagnosis.verdict, diagnosis.findings)
    assert ["could not read the hub"] == [one.problem for one in diagnosis.unread]


def test_codes_are_each_causes_own() -> None:
    """
    Machines tell causes apart by them.
    """
    assert len(CAUSES) == len({cause.code for cause in CAUSES})
