"""
What a deployment to Azure will do, decided before Azure is asked.
"""

import hashlib
import json
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.deploy import azure_plan
from firstlight.deploy.azure_plan import Plan
from firstlight.errors import RegionsError
from firstlight.regions import AzureRegion
from tests.factory import NOW, Factory

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_URL = "https://cloudid.example/key.pem"


def _plan(factory: Factory, region: AzureRegion | None = None, *, proven: bool = False) -> Plan:
    return azure_plan.plan_for(
        region or AzureRegion(name="westeurope", token_key_url=_URL),
        subscription=_SUBSCRIPTION,
        template=b"{}",
        cas=[factory.ca],
        proven=frozenset([factory.ca.fingerprint] if proven else []),
    )


def test_a_plan_says_everything_that_will_be_done(factory: Factory) -> None:
    """
    As JSON: the group, the template by its hash, its parameters, the code, the CAs with their proof, the groups.
    """
    facts = _plan(factory, proven=True).facts()
    name = f"test-device-ca-{factory.ca.fingerprint[:8]}"

    assert hashlib.sha256(b"{}").hexdigest() == facts["template_sha256"]
    assert ("firstlight", "firstlight-westeurope", True) == (
        facts["resource_group"],
        facts["deployment"],
        facts["publishes"],
    )
    assert ("westeurope", _SUBSCRIPTION, "S1") == tuple(
        facts["parameters"][k] for k in ("location", "audience", "hubSku")
    )
    assert [(name, ["hub", "dps"], True)] == [
        (u["name"], u["to"], u["proof_of_possession"]) for u in facts["ca_uploads"]
    ]
    assert [{"name": name, "ca": name}] == facts["enrollment_groups"]
    assert facts == json.loads(json.dumps(facts))


def test_the_table_has_a_line_a_step(factory: Factory) -> None:
    """
    In the order they are taken; who proves nothing is told so.
    """
    steps = [step for step in _plan(factory).steps() if step[0]]

    assert ["have", "deploy", "publish", "upload", "enroll"] == [do for do, _, _ in steps]
    assert "on your word" in steps[3][2]


def test_equal_regions_have_equal_plans(factory: Factory) -> None:
    """
    Nothing of the clock, the environment or the network is in it.
    """
    assert _plan(factory) == _plan(factory)


def test_without_a_provisioning_service_nobody_is_enrolled(factory: Factory) -> None:
    """
    The hub alone takes the CA certificates.
    """
    plan = _plan(factory, AzureRegion(name="westeurope", token_key_url=_URL, dps=False))

    assert () == plan.groups
    assert ["hub"] == plan.facts()["ca_uploads"][0]["to"]


def test_names_of_cas_are_stable_and_tell_certificates_apart(factory: Factory) -> None:
    """
    Azure takes letters, digits and hyphens, 64 at most; a renewed CA is another.
    """
    names = [
        azure_plan.name_of(pki.create_ca(common_name, key=pki.new_key(), now=NOW))
        for common_name in ("Infineon OPTIGA(TM) Trust M CA 306", "  ", "Ä" * 20, "x" * 64, "x" * 64)
    ]

    assert names[0].startswith("infineon-optiga-tm-trust-m-ca-306-")
    assert names[1].startswith("ca-")
    assert 5 == len(set(names))
    assert max(map(len, names)) <= 64
    assert azure_plan.name_of(factory.ca) == azure_plan.name_of(factory.ca)


def test_a_token_key_file_travels_as_text_and_a_private_one_never(tmp_path: Path, factory: Factory) -> None:
    """
    The environment of the function is no place for it.
    """
    public, private = tmp_path / "key.pem", tmp_path / "private.pem"
    key = pki.new_key()
    public.write_bytes(pki.public_pem(key))
    pki.write_key(private, key)

    plan = _plan(factory, AzureRegion(name="westeurope", token_key_file=public))

    assert public.read_text().strip() == plan.parameters["tokenKey"]
    with pytest.raises(RegionsError, match=r"private\.pem"):
        _plan(factory, AzureRegion(name="westeurope", token_key_file=private))


def test_a_devices_own_certificate_is_no_ca(factory: Factory) -> None:
    """
    It is refused before anything is deployed, not by Azure halfway through.
    """
    region = AzureRegion(name="westeurope", token_key_url=_URL)

    with pytest.raises(RegionsError, match=r"westeurope: ca_certificates: CN=device-7 is not a CA certificate\."):
        azure_plan.plan_for(region, subscription=_SUBSCRIPTION, template=b"{}", cas=[factory.leaf("device-7")])
