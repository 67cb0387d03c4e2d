"""
The laptop's DPS service API: enrollments, groups, registrations.
"""

from typing import Any

import pytest

from firstlight import pki
from firstlight.local.azure_cloud.access import DPS_DATA_CONTRIBUTOR, HUB_DATA_CONTRIBUTOR
from firstlight.local.azure_cloud.tokens import DPS
from firstlight.local.azure_cloud.world import Assignment, CaCertificate
from tests.azure_rest import Site

DPS_DATA_READER = "10745317-c249-44a1-a5ce-3a4353c0bbd8"
GROUP = "/enrollmentGroups/makers"


@pytest.fixture
def site() -> Site:
    site = Site()
    ca = pki.create_ca("Maker CA", key=pki.new_key(), now=site.now)
    site.dps.certificates["maker"] = CaCertificate("maker", ca, verified=True)
    return site


def group(ca: str = "maker", name: str = "makers", **more: Any) -> dict[str, Any]:
    x509 = {"caReferences": {"primary": ca}}
    return {"enrollmentGroupId": name, "attestation": {"type": "x509", "x509": x509}, **more}


def individual(site: Site, name: str, **more: Any) -> dict[str, Any]:
    ca = site.dps.certificates["maker"].certificate
    x509 = {"clientCertificates": {"primary": {"certificate": ca.pem}}}
    return {"registrationId": name, "attestation": {"type": "x509", "x509": x509}, **more}


def test_a_group_is_created_once_and_changed_by_etag(site: Site) -> None:
    """
    409 for the second creation, 412 for another's etag; the new etag is another.
    """
    created = site.answer(DPS, "PUT", GROUP, group())
    assert ({"primary": "maker"}, "enabled") == (
        created.body["attestation"]["x509"]["caReferences"],
        created.body["provisioningStatus"],
    )
    assert [409, 412] == [site.ask(DPS, "PUT", GROUP, group(), etag=e)[0] for e in ("", '"x"')]

    etag = created.headers["ETag"]
    status, changed = site.ask(DPS, "PUT", GROUP, {**created.body, "provisioningStatus": "disabled"}, etag=etag)

    assert (200, "disabled") == (status, changed["provisioningStatus"])
    assert changed["etag"] != created.body["etag"]
    assert not site.dps.groups["makers"].enabled


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (group("nobody"), "'nobody' is not found"),
        (group(name="other"), "not that of the path"),
        (group(iotHubHostName="x.azure-devices.net"), "not linked"),
        ({"enrollmentGroupId": "makers", "attestation": {"type": "tpm"}}, "X.509 certificates only"),
        ({"enrollmentGroupId": "makers", "attestation": {"type": "x509", "x509": {}}}, "is missing"),
    ],
)
def test_a_group_that_cannot_be_says_why(site: Site, body: dict[str, Any], says: str) -> None:
    """
    400 with a sentence.
    """
    status, refusal = site.ask(DPS, "PUT", GROUP, body)

    assert 400 == status
    assert says in refusal["message"]


@pytest.mark.parametrize("name", ["ends_.", "a b", "a" * 129, "ümlaut"])
def test_ids_are_of_the_documented_signs(site: Site, name: str) -> None:
    """
    Letters, digits and - . _ :, the last one no . _ or :.
    """
    assert 400 == site.ask(DPS, "PUT", f"/enrollments/{name}", individual(site, name))[0]


def test_a_certificate_is_shown_by_its_info_which_can_be_given_back(site: Site) -> None:
    """
    The certificate itself is not given out; what was read can be written again, as the SDKs do.
    """
    made = site.answer(DPS, "PUT", "/enrollments/Dev-1", individual(site, "Dev-1"))
    primary = made.body["attestation"]["x509"]["clientCertificates"]["primary"]
    fingerprint = site.dps.certificates["maker"].certificate.fingerprint
    assert (["info"], fingerprint.upper()) == (list(primary), primary["info"]["sha256Thumbprint"])

    body = {**made.body, "provisioningStatus": "disabled"}
    assert 200 == site.ask(DPS, "PUT", "/enrollments/dev-1", body, etag=made.headers["ETag"])[0]

    kept = site.dps.enrollments["dev-1"]
    assert kept.certificate is not None
    assert (False, fingerprint) == (kept.enabled, kept.certificate.fingerprint)


def test_groups_are_queried_page_by_page(site: Site) -> None:
    """
    x-ms-max-item-count and x-ms-continuation; only SELECT * is understood, and that is said.
    """
    for name in ("a", "b", "c"):
        site.ask(DPS, "PUT", f"/enrollmentGroups/{name}", group(name=name))
    query = {"query": "SELECT * FROM enrollmentGroups"}

    first = site.answer(DPS, "POST", "/enrollmentGroups/query", query, headers={"x-ms-max-item-count": "2"})
    more = {"x-ms-max-item-count": "2", "x-ms-continuation": first.headers["x-ms-continuation"]}
    last = site.answer(DPS, "POST", "/enrollmentGroups/query", query, headers=more)

    assert ["a", "b", "c"] == [g["enrollmentGroupId"] for g in [*first.body, *last.body]]
    assert "x-ms-continuation" not in last.headers
    assert 400 == site.ask(DPS, "POST", "/enrollmentGroups/query", {"query": "SELECT x FROM y WHERE z"})[0]


def test_enrollments_in_bulk_fail_one_by_one(site: Site) -> None:
    """
    Ten at most; one that is there already does not sink the others.
    """
    site.ask(DPS, "POST", "/enrollments", {"mode": "create", "enrollments": [individual(site, "a")]})
    both = [individual(site, "a"), individual(site, "b")]

    status, body = site.ask(DPS, "POST", "/enrollments", {"mode": "create", "enrollments": both})

    assert (200, False, ["a"]) == (status, body["isSuccessful"], [e["registrationId"] for e in body["errors"]])
    assert {"a", "b"} == set(site.dps.enrollments)
    eleven = [individual(site, f"d{n}") for n in range(11)]
    assert 400 == site.ask(DPS, "POST", "/enrollments", {"mode": "create", "enrollments": eleven})[0]


def test_registrations_are_asked_for_and_forgotten(site: Site) -> None:
    """
    By group and one by one; registration ids have no case.
    """
    site.ask(DPS, "PUT", GROUP, group())
    site.dps.assignments["dev-1"] = Assignment("dev-1", "dev-1", site.hub.host, "makers")

    assert ["dev-1"] == [r["registrationId"] for r in site.ask(DPS, "POST", "/registrations/makers/query", {})[1]]
    shown = site.ask(DPS, "GET", "/registrations/DEV-1")[1]
    assert (site.hub.host, "assigned") == (shown["assignedHub"], shown["status"])
    assert [412, 204, 404] == [
        site.ask(DPS, "DELETE", "/registrations/dev-1", etag=e)[0] for e in ('"x"', shown["etag"], "")
    ]


def test_roles_and_versions_are_asked_for(site: Site) -> None:
    """
    A reader does not write, the hub's roles are none here, and an old api-version is unknown, as live services say.
    """
    reader = site.stranger(DPS_DATA_READER, scope=site.dps.resource_id)
    hubs_only = site.stranger(HUB_DATA_CONTRIBUTOR, scope=site.dps.resource_id)
    writer = site.stranger(DPS_DATA_CONTRIBUTOR, scope=site.dps.resource_id)

    assert [401, 401, 200] == [site.ask(DPS, "PUT", GROUP, group(), who=w)[0] for w in (reader, hubs_only, writer)]
    assert [200, 401] == [site.ask(DPS, "GET", GROUP, who=w)[0] for w in (reader, hubs_only)]
