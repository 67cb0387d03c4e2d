"""
A plan carried out in the laptop's Azure, without a socket: whole, again, broken off, and refused.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from firstlight import pki
from firstlight.deploy import azure_apply, azure_ca, azure_enrollments, azure_plan
from firstlight.deploy.azure_ca import Done
from firstlight.deploy.azure_plan import Plan
from firstlight.errors import DeploymentError, UsageError
from firstlight.outputs import AzureOutput
from firstlight.regions import AzureRegion
from tests import azure_template
from tests.azure_inside import AzureInside
from tests.factory import NOW, Factory

_REGION = AzureRegion(name="westeurope", token_key_url="https://cloudid.example/key.pem")


@pytest.fixture
def inside() -> AzureInside:
    return AzureInside()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "host.json").write_text("{}")
    return folder


def _plan(inside: AzureInside, factory: Factory, *, template: bytes | None = None) -> Plan:
    return azure_plan.plan_for(
        _REGION,
        subscription=inside.world.subscription,
        template=template or azure_template.PATH.read_bytes(),
        cas=[factory.ca],
        proven=frozenset([factory.ca.fingerprint]),
    )


def _apply(
    inside: AzureInside, plan: Plan, factory: Factory, *, bundle: Path | None = None
) -> tuple[dict[str, str], list[str]]:
    told: list[str] = []
    outputs = azure_apply.apply(
        plan,
        inside.azure,
        bundle=bundle,
        keys={factory.ca.fingerprint: factory.key},
        now=NOW,
        tell=told.append,
        pause=0,
    )
    return outputs, told


def test_a_whole_deployment(inside: AzureInside, factory: Factory, bundle: Path) -> None:
    """
    Group, hub and provisioning service linked without a key, code, CA proven on both, enrollment group.
    """
    outputs, _ = _apply(inside, _plan(inside, factory), factory, bundle=bundle)
    hub = inside.world.hubs[outputs[AzureOutput.HUB_NAME]]
    dps = inside.world.services[outputs[AzureOutput.DPS_NAME]]

    assert outputs[AzureOutput.INTEROP_URL].startswith("https://firstlight-")
    assert [hub.host] == dps.hubs
    assert [True, True] == [c.verified for owner in (hub, dps) for c in owner.certificates.values()]
    assert {factory.ca.fingerprint} == {c.certificate.fingerprint for c in hub.certificates.values()}
    ((name, group),) = dps.groups.items()
    assert (name, True) == (group.ca_name, group.enabled)
    assert [1] == [p.files for p in inside.kudu.published.values()]


def test_again_changes_nothing(inside: AzureInside, factory: Factory) -> None:
    """
    What is verified, enrolled or there is said to be so; no new certificate, no new etag.
    """
    plan = _plan(inside, factory)
    outputs, _ = _apply(inside, plan, factory)
    hub = inside.world.hubs[outputs[AzureOutput.HUB_NAME]]
    before = [c.etag for c in hub.certificates.values()]

    again, told = _apply(inside, plan, factory)

    assert outputs == again
    assert before == [c.etag for c in hub.certificates.values()]
    assert 1 == sum("resource group firstlight: there already" in line for line in told)
    assert 2 == sum("already verified" in line for line in told)
    assert 1 == sum(line.endswith("there already") and "enrollment" in line for line in told)


@pytest.mark.parametrize("step", ["generateVerificationCode", "/verify"])
def test_an_upload_that_broke_off_goes_on(inside: AzureInside, factory: Factory, step: str) -> None:
    """
    After the upload and after the code: what was done is not done again.
    """
    plan = _plan(inside, factory)
    broken = [True]

    def fault(request: requests.PreparedRequest) -> Exception | None:
        if broken and step in str(request.url):
            broken.clear()
            return requests.exceptions.ConnectionError("cut")
        return None

    inside.fault = fault
    with pytest.raises(DeploymentError, match="Azure cannot be reached"):
        _apply(inside, plan, factory)
    inside.seen.clear()
    outputs, told = _apply(inside, plan, factory)

    hub = inside.world.hubs[outputs[AzureOutput.HUB_NAME]]
    assert [True] == [c.verified for c in hub.certificates.values()]
    puts = [line for line in inside.seen if line.startswith("PUT") and "/IotHubs/" in line]
    assert [] == [line for line in puts if "/certificates/" in line]
    assert 2 == sum("by proof of possession" in line for line in told)


def test_every_step_names_the_latest_etag(inside: AzureInside, factory: Factory) -> None:
    """
    Somebody else's change between two steps is a refusal in a sentence, not an overwriting.
    """
    plan = _plan(inside, factory)

    def fault(request: requests.PreparedRequest) -> None:
        if "/verify" in str(request.url):
            for hub in inside.world.hubs.values():
                for certificate in hub.certificates.values():
                    certificate.etag = "another"

    inside.fault = fault

    with pytest.raises(DeploymentError, match="somebody else changed it meanwhile"):
        _apply(inside, plan, factory)


def test_without_its_key_a_ca_is_verified_on_the_operators_word(inside: AzureInside, factory: Factory) -> None:
    """
    A factory keeps its key; the operator answers for the certificate. A strange key is refused first.
    """
    outputs, _ = _apply(inside, _plan(inside, factory), factory)
    place = azure_ca.hub(inside.azure, "firstlight", outputs[AzureOutput.HUB_NAME])
    other = Factory("Another CA")
    name = azure_plan.name_of(other.ca)

    with pytest.raises(UsageError, match="not the key of this CA"):
        azure_ca.upload(place, name, other.ca, key=factory.key, now=NOW)
    done = azure_ca.upload(place, name, other.ca, key=None, now=NOW)

    assert (Done.ATTESTED, Done.ALREADY) == (done, azure_ca.upload(place, name, other.ca, key=None, now=NOW))
    stored = {ca.name: ca for ca in azure_ca.stored(place)}
    assert stored[name].verified
    assert "Another CA" in stored[name].subject


def test_an_unverified_ca_is_verified_on_ones_word_later(inside: AzureInside, factory: Factory) -> None:
    """
    An upload that was to be proven, and never was.
    """
    outputs, _ = _apply(inside, _plan(inside, factory), factory)
    hub = inside.world.hubs[outputs[AzureOutput.HUB_NAME]]
    (certificate,) = hub.certificates.values()
    certificate.verified = False
    place = azure_ca.hub(inside.azure, "firstlight", hub.name)

    assert Done.ATTESTED is azure_ca.upload(place, certificate.name, factory.ca, key=None, now=NOW)
    assert [True] == [c.verified for c in hub.certificates.values()]


def test_enrollment_groups_are_created_once_listed_and_disabled(inside: AzureInside, factory: Factory) -> None:
    """
    Each may be asked for again; what differs from what was asked is said.
    """
    outputs, _ = _apply(inside, _plan(inside, factory), factory)
    rest = azure_enrollments.service(inside.azure, outputs[AzureOutput.DPS_HOST_NAME])
    ca = azure_plan.name_of(factory.ca)
    intermediate = pki.create_ca("Line 7", key=pki.new_key(), issuer=(factory.ca, factory.key), now=NOW)

    made = azure_enrollments.create(rest, "line-7", intermediate=intermediate)
    again = azure_enrollments.create(rest, "line-7", ca=ca)
    disabled = [azure_enrollments.disable(rest, "line-7") for _ in range(2)]
    known = azure_enrollments.create(rest, "line-7", intermediate=intermediate)

    assert (True, False, [True, False]) == (made.new, again.new, disabled)
    assert 1 == len(again.differences)
    assert ("The group line-7 is disabled.",) == known.differences
    assert sorted([(ca, True), ("line-7", False)]) == sorted(
        (g.name, g.enabled) for g in azure_enrollments.list_all(rest)
    )
    with pytest.raises(DeploymentError, match="There is no enrollment group nobody"):
        azure_enrollments.disable(rest, "nobody")
    with pytest.raises(UsageError, match="cannot be an enrollment group"):
        azure_enrollments.create(rest, "not a name", ca=ca)


def test_what_if_tells_before_and_after(inside: AzureInside, factory: Factory) -> None:
    """
    Without a resource group there is nothing to compare with; nothing is made by asking.
    """
    plan = _plan(inside, factory)
    before = azure_apply.what_if(plan, inside.azure, pause=0)

    assert [("Create", f"/subscriptions/{plan.subscription}/resourceGroups/firstlight")] == before
    assert {} == inside.world.hubs
    _apply(inside, plan, factory)
    after = azure_apply.what_if(plan, inside.azure, pause=0)
    assert any("Microsoft.Devices/IotHubs" in resource for _, resource in after)


def test_outputs_of_nothing_say_what_to_do(inside: AzureInside, factory: Factory) -> None:
    """
    Commands about a region that was never deployed end in a sentence.
    """
    plan = _plan(inside, factory)

    with pytest.raises(DeploymentError, match=r"There is no deployment .* Deploy first"):
        azure_apply.outputs_of(inside.azure, plan.resource_group, plan.deployment)
    outputs, _ = _apply(inside, plan, factory)
    assert outputs == azure_apply.outputs_of(inside.azure, plan.resource_group, plan.deployment)


def _always(answer: Any) -> Any:
    return lambda _: answer


_JSON = {"Content-Type": "application/json"}
_UNAUTHORIZED = "The client 'x' does not have authorization to perform action 'Microsoft.X/read' over scope '/s'."


def _error(code: str, message: str, *inner: str) -> str:
    details = [dict(zip(("code", "message"), inner, strict=True))] if inner else []
    return json.dumps({"error": {"code": code, "message": message, "details": details}})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            (502, {"Content-Type": "text/html"}, "<html>Bad gateway</html>"),
            r"what answers at management\.azure\.com is not Azure, but something with web pages \(HTTP 502\)",
        ),
        (
            (200, {"Content-Type": "text/html"}, "<html>Sign in</html>"),
            r"what answers at management\.azure\.com is not Azure",
        ),
        (
            (403, _JSON, _error("AuthorizationFailed", _UNAUTHORIZED)),
            r"may not do Microsoft\.X/read\. Assign it a role",
        ),
        ((401, _JSON, _error("ExpiredAuthenticationToken", "…")), r"token in use has expired\. Sign in again"),
        ((404, _JSON, _error("SubscriptionNotFound", "…")), "there is no such subscription"),
        ((429, _JSON, _error("TooManyRequests", "…")), "Azure is throttling"),
        (
            (400, _JSON, _error("InvalidTemplateDeployment", "…", "LocationNotAvailableForResourceType", "…")),
            "Azure has no such region, or not everything we need in it",
        ),
        (
            (400, _JSON, _error("InvalidTemplateDeployment", "…", "InvalidRequestContent", "No member 'tls'.\nMore")),
            r"InvalidRequestContent, No member 'tls'\.$",
        ),
        (requests.exceptions.ConnectionError("no route"), r"Azure cannot be reached \(no route\)"),
    ],
)
def test_each_refusal_is_one_sentence(inside: AzureInside, factory: Factory, answer: Any, sentence: str) -> None:
    """
    What was being done, what went wrong, what to do about it; on one line.
    """
    inside.fault = _always(answer)

    with pytest.raises(DeploymentError, match=sentence) as raised:
        _apply(inside, _plan(inside, factory), factory)
    assert "\n" not in str(raised.value)


def test_an_expired_token_is_told(inside: AzureInside, factory: Factory) -> None:
    """
    As Azure itself refuses one.
    """
    inside.token_lifetime = -10

    with pytest.raises(DeploymentError, match="the Entra ID token in use has expired"):
        _apply(inside, _plan(inside, factory), factory)


def test_a_missing_role_is_told(inside: AzureInside, factory: Factory) -> None:
    """
    An owner of the subscription has no data actions: the enrollment groups are where that shows.
    """
    inside.world.directory.assignments = {a for a in inside.world.directory.assignments if a[1].startswith("8e3af657")}

    with pytest.raises(
        DeploymentError, match=r"enrollment group .* the identity in use may not do that\. Assign it a role"
    ):
        _apply(inside, _plan(inside, factory), factory)


def test_a_template_that_azure_refuses_is_told(inside: AzureInside, factory: Factory) -> None:
    """
    A function it does not know, say: the sentence has Azure's own words.
    """
    template = azure_template.PATH.read_text("utf-8").replace("toLower(concat", "toLoud(concat").encode()

    with pytest.raises(DeploymentError, match="toLoud"):
        _apply(inside, _plan(inside, factory, template=template), factory)


@pytest.mark.parametrize(
    ("status", "sentence"), [(3, "Publishing the code of firstlight-.* failed"), (500, "HTTP 500")]
)
def test_code_that_does_not_run_is_told(
    inside: AzureInside, factory: Factory, bundle: Path, status: int, sentence: str
) -> None:
    """
    The template is deployed by then; deploying again goes on there.
    """
    answer = (500, {}, "") if status == 500 else (200, _JSON, '{"status": 3}')
    inside.fault = lambda r: answer if "/api/deployments/" in str(r.url) else None

    with pytest.raises(DeploymentError, match=sentence):
        _apply(inside, _plan(inside, factory), factory, bundle=bundle)
    inside.fault = _always(None)
    _, told = _apply(inside, _plan(inside, factory), factory, bundle=bundle)
    assert 1 == sum("is published" in line for line in told)
