"""
The laptop's Azure Resource Manager: certificates by etag, templates, roles.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.local.azure_cloud.tokens import HUB, MANAGEMENT
from tests.azure_rest import GROUP, Site

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/one"
TEMPLATE = Path(__file__).parents[2] / "azure" / "infra" / "azuredeploy.json"


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(params=["hub", "dps"])
def ca_path(site: Site, request: pytest.FixtureRequest) -> str:
    """
    Where the CA certificate `maker` of the hub, or of the DPS, is.
    """
    owner = site.hub if request.param == "hub" else site.dps
    return f"{owner.resource_id}/certificates/maker"


def b64(certificate: Certificate) -> str:
    return base64.b64encode(certificate.pem.encode()).decode()


def test_possession_is_really_proven(site: Site, ca_path: str) -> None:
    """
    CN is the code and the CA signed it: a stranger's signature, or another code, does not do.
    """
    key, other = pki.new_key(), pki.new_key()
    ca = pki.create_ca("Maker CA", key=key, now=site.now)
    imposter = pki.create_ca("Maker CA", key=other, now=site.now)
    _, made = site.ask(MANAGEMENT, "PUT", ca_path, {"properties": {"certificate": b64(ca)}})
    assert made["properties"]["isVerified"] is False
    _, coded = site.ask(MANAGEMENT, "POST", f"{ca_path}/generateVerificationCode", etag=made["etag"])
    code, etag = coded["properties"]["verificationCode"], coded["etag"]

    for proof, _ in (
        pki.verification_certificate(code, ca=imposter, ca_key=other, now=site.now),
        pki.verification_certificate("0" * 48, ca=ca, ca_key=key, now=site.now),
    ):
        assert 400 == site.ask(MANAGEMENT, "POST", f"{ca_path}/verify", {"certificate": b64(proof)}, etag=etag)[0]
    good, _ = pki.verification_certificate(code, ca=ca, ca_key=key, now=site.now)
    status, verified = site.ask(MANAGEMENT, "POST", f"{ca_path}/verify", {"certificate": b64(good)}, etag=etag)

    assert (200, True) == (status, verified["properties"]["isVerified"])
    assert 3 == len({made["etag"], coded["etag"], verified["etag"]})


def test_every_step_wants_the_latest_etag(site: Site, ca_path: str) -> None:
    """
    412 with the number 412001 and no ARM envelope, as IoT Hub says it; a replacement too, and a deletion.
    """
    ca = pki.create_ca("Maker CA", key=pki.new_key(), now=site.now)
    body = {"properties": {"certificate": b64(ca), "isVerified": True}}
    _, made = site.ask(MANAGEMENT, "PUT", ca_path, body)
    assert made["properties"]["isVerified"] is True

    for method, path in (
        ("PUT", ca_path),
        ("DELETE", ca_path),
        ("POST", f"{ca_path}/generateVerificationCode"),
        ("POST", f"{ca_path}/verify"),
    ):
        status, refusal = site.ask(MANAGEMENT, method, path, body, etag="old")
        assert (412, 412001) == (status, refusal["code"])
    assert 200 == site.ask(MANAGEMENT, "DELETE", ca_path, etag=made["etag"])[0]
    assert 404 == site.ask(MANAGEMENT, "GET", ca_path)[0]


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"no certificate").decode()])
def test_what_is_no_certificate_is_not_uploaded(site: Site, ca_path: str, text: str) -> None:
    """
    400.
    """
    assert 400 == site.ask(MANAGEMENT, "PUT", ca_path, {"properties": {"certificate": text}})[0]


def test_a_reader_may_not_write(site: Site, ca_path: str) -> None:
    """
    403 AuthorizationFailed names the client, the action and the scope.
    """
    who = site.stranger(READER)

    status, refusal = site.ask(MANAGEMENT, "PUT", ca_path, {}, who=who)

    assert (403, "AuthorizationFailed") == (status, refusal["error"]["code"])
    assert who.client_id in refusal["error"]["message"]
    assert ca_path in refusal["error"]["message"]
    assert 200 == site.ask(MANAGEMENT, "GET", GROUP, who=who)[0]


def test_tokens_end_and_are_for_one_api(site: Site) -> None:
    """
    401 ExpiredAuthenticationToken, InvalidAuthenticationTokenAudience.
    """
    token = site.tokens.issue(site.operator, MANAGEMENT)
    others = site.tokens.issue(site.operator, HUB)
    assert "InvalidAuthenticationTokenAudience" == site.ask(MANAGEMENT, "GET", GROUP, token=others)[1]["error"]["code"]
    site.hour_later()

    status, refusal = site.ask(MANAGEMENT, "GET", GROUP, token=token)

    assert (401, "ExpiredAuthenticationToken") == (status, refusal["error"]["code"])


def deploy(site: Site, template: dict[str, Any], verb: str = "", **parameters: Any) -> tuple[int, Any]:
    given = {name: {"value": value} for name, value in parameters.items()}
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": given}}
    method, path = ("POST", f"{DEPLOYMENT}/{verb}") if verb else ("PUT", DEPLOYMENT)
    return site.ask(MANAGEMENT, method, path, body)


def test_our_own_template_deploys_and_its_roles_hold(site: Site) -> None:
    """
    Hub, DPS linked to it, the function's identity with the registry's role on the hub and no more; again: no change.
    """
    template = json.loads(TEMPLATE.read_text("utf-8"))

    assert 201 == deploy(site, template, tokenKeyUrl="https://keys.example.com/k.pem")[0]

    outputs = {n: o["value"] for n, o in site.ask(MANAGEMENT, "GET", DEPLOYMENT)[1]["properties"]["outputs"].items()}
    hub, dps = site.world.hub_at(outputs["hubHostName"]), site.world.dps_of(outputs["idScope"])
    assert hub is not None
    assert dps is not None
    assert [hub.host] == dps.hubs
    identity = site.world.directory.identity_of(f"{GROUP}/providers/Microsoft.Web/sites/{outputs['functionAppName']}")
    assert identity is not None
    allows = site.world.directory.allows
    assert allows(identity, "Microsoft.Devices/IotHubs/devices/write", hub.resource_id, data=True)
    assert not allows(identity, "Microsoft.Devices/IotHubs/twins/write", hub.resource_id, data=True)
    _, again = deploy(site, template, "whatIf", tokenKeyUrl="https://keys.example.com/k.pem")
    assert {"NoChange"} == {change["changeType"] for change in again["properties"]["changes"]}
    _, other = deploy(site, template, "whatIf", tokenKeyUrl="https://keys.example.com/k.pem", hubUnits=2)
    changed = [(c["resourceId"], c["delta"]) for c in other["properties"]["changes"] if c["changeType"] != "NoChange"]
    assert [
        (hub.resource_id, [{"path": "sku.capacity", "propertyChangeType": "Modify", "before": 1, "after": 2}])
    ] == changed


@pytest.mark.parametrize(
    ("template", "parameters", "says"),
    [
        ({"resources": [{"type": "A.b/c", "name": "[nonsense()]"}]}, {}, "function 'nonsense'"),
        ({"resources": [{"type": "A.b/c", "name": "[parameters('x')]"}]}, {}, "parameter 'x' is not found"),
        ({"resources": [{"type": "A.b/c", "name": "[concat('a'"}]}, {}, None),
        ({"parameters": {"x": {"type": "string"}}}, {}, "'x' is not provided"),
        ({"parameters": {"x": {"type": "int", "maxValue": 3}}}, {"x": 4}, "out of its range"),
        ({"parameters": {"x": {"type": "bool"}}}, {"x": "true"}, "not of the type bool"),
        ({"parameters": {"x": {"type": "string", "allowedValues": ["a"]}}}, {"x": "b"}, "not one of a"),
        ({}, {"y": 1}, "no parameters y"),
        ({"resources": [{"type": "A.b/c", "name": "n", "copy": {"name": "l"}}]}, {}, "no copy"),
        (
            {
                "resources": [
                    {"type": "A.b/c", "name": "n", "dependsOn": ["[resourceId('A.b/c', 'm')]"]},
                    {"type": "A.b/c", "name": "m", "dependsOn": ["[resourceId('A.b/c', 'n')]"]},
                ]
            },
            {},
            "depends on itself",
        ),
    ],
)
def test_a_template_that_cannot_be_evaluated_says_why(
    site: Site, template: dict[str, Any], parameters: dict[str, Any], says: str | None
) -> None:
    """
    400 InvalidTemplate, before anything is made; an expression without an end is text, as on Azure.
    """
    status, body = deploy(site, template, **parameters)

    if says is None:
        assert 201 == status
    else:
        assert (400, "InvalidTemplate") == (status, body["error"]["code"])
        assert says in body["error"]["message"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[concat('a', 1, 'b''c')]", "a1b'c"),
        ("[format('{0}-{1}', 'x', 2)]", "x-2"),
        ("[if(equals('a', 'A'), 1, 2)]", 2),
        ("[if(true(), 'ok', reference('/nowhere/providers/A.b/c/d').x)]", "ok"),
        ("[take('abcdef', 3)]", "abc"),
        ("[length(uniqueString('a', 'b'))]", 13),
        ("[createObject('a', createArray(1, 2))['A'][1]]", 2),
        ("[toLower(resourceGroup().Name)]", "reel"),
        ("[resourceId('A.b/c/d', 'x', 'y')]", f"{GROUP}/providers/A.b/c/x/d/y"),
        ("[contains(split('a,b', ','), 'b')]", True),
        ("[empty(coalesce(null(), ''))]", True),
        ("[[not an expression]", "[not an expression]"),
        ("[length(guid('a', 'b'))]", 36),
    ],
)
def test_expressions(site: Site, expression: str, value: Any) -> None:
    """
    Text, numbers, members in any case, the branch that is not taken.
    """
    template = {"outputs": {"it": {"type": "string", "value": expression}}}

    deploy(site, template)
    found = site.ask(MANAGEMENT, "GET", DEPLOYMENT)[1]["properties"]["outputs"]["it"]["value"]

    assert value == found


def test_a_resource_that_cannot_be_made_fails_the_deployment(site: Site) -> None:
    """
    The deployment is there, failed, and says which resource and why.
    """
    dps = {
        "type": "Microsoft.Devices/provisioningServices",
        "name": "alone",
        "properties": {"iotHubs": [{"hostName": "nowhere.azure-devices.net"}]},
    }

    status, _ = deploy(site, {"resources": [dps]})

    shown = site.ask(MANAGEMENT, "GET", DEPLOYMENT)[1]["properties"]
    assert (201, "Failed") == (status, shown["provisioningState"])
    assert "nowhere.azure-devices.net does not exist" in shown["error"]["details"][0]["message"]


def test_deleting_a_group_deletes_what_is_in_it(site: Site) -> None:
    """
    The hub answers no more, its devices are told to go, its identities have no tokens.
    """
    template = json.loads(TEMPLATE.read_text("utf-8"))
    deploy(site, template, tokenKeyUrl="https://keys.example.com/k.pem")

    assert 202 == site.ask(MANAGEMENT, "DELETE", GROUP)[0]

    assert ["reel-hub"] == list(site.world.hubs)
    assert [site.operator] == site.world.directory.principals
    assert 404 == site.ask(MANAGEMENT, "GET", GROUP)[0]


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"hostName": "reel-hub.azure-devices.net", "authenticationType": "SystemAssigned"}, "it has no role"),
        (
            {"connectionString": "HostName=reel-hub.azure-devices.net;SharedAccessKeyName=a"},
            "disabled",
        ),
    ],
)
def test_a_link_that_could_register_nothing_is_refused(site: Site, link: dict[str, str], says: str) -> None:
    """
    An identity without a role on the hub, and a key for a hub that takes none.
    """
    site.world.resources[site.hub.resource_id.lower()] = {"properties": {"disableLocalAuth": True}}
    path = f"{GROUP}/providers/Microsoft.Devices/provisioningServices/other"
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"iotHubs": [link]}}

    status, refusal = site.ask(MANAGEMENT, "PUT", path, body)

    assert 400 == status
    assert says in refusal["message"]
