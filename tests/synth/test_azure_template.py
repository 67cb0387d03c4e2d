"""
The ARM template: what its types know, least privilege, no key, and what our own code expects of it.
"""

import json
import re
from typing import Any

import pycep
import pytest

from firstlight.deploy import azure_bundle, azure_plan
from firstlight.deploy.bundle import CHECKOUT
from firstlight.identity import Naming
from firstlight.local.azure_cloud.arm_template import TemplateError
from firstlight.outputs import AzureOutput
from firstlight.regions import AzureRegion
from firstlight.regions.azure import MAX_RESOURCE_GROUP
from firstlight.settings import PREFIX, Settings
from tests import arm_shapes, azure_template
from tests.azure_template import SUBSCRIPTION, TOKEN_KEY_URL

_HUB, _DPS, _SITE = "Microsoft.Devices/IotHubs", "Microsoft.Devices/provisioningServices", "Microsoft.Web/sites"
_QUEUE = "Microsoft.Storage/storageAccounts/queueServices/queues"
_STORAGE, _INSIGHTS = "Microsoft.Storage/storageAccounts", "Microsoft.Insights/components"
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
_ROLES = {
    "4ea46cd5-c1b2-4a8e-910b-273211f9ce47": "IoT Hub Registry Contributor",
    "494bdba2-168f-4f31-a0a1-191d2f7c028c": "IoT Hub Twin Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
}
_WHO = {_SITE: "site", "Microsoft.ManagedIdentity": "dps", "Microsoft.EventGrid": "events"}
_REGION = AzureRegion(
    name="westeurope",
    token_key_url=TOKEN_KEY_URL,
    naming=Naming.FINGERPRINT,
    thing_prefix="p-",
    topic="up",
    trusted_issuers=(CHECKOUT / "ca.pem",),
    alert_email="ops@example.com",
    quotas=("IdentityRegistryOperations=500",),
    manifest_uploads=True,
    manifest_signers=(CHECKOUT / "signer.pem",),
    manifest_attributes=("site", "place=Line"),
)


def _planned(region: AzureRegion = _REGION) -> dict[str, Any]:
    plan = azure_plan.plan_for(region, subscription=SUBSCRIPTION, template=b"{}", cas=[])
    return dict(plan.parameters)


def _one(kind: str, **parameters: Any) -> dict[str, Any]:
    (found,) = [r for r in azure_template.resources(**parameters) if r["type"] == kind]
    return found


@pytest.mark.parametrize("email", ["", "ops@example.com"])
def test_every_property_exists(email: str) -> None:
    """
    In the models of the management SDKs, or in the list kept by hand.
    """
    made = azure_template.resources(alertEmail=email, manifestUploads=True)
    found = [p for r in made for p in arm_shapes.problems(r)]

    assert [] == found


@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        (_HUB, ("properties", "minTlsVersion"), "minimumTlsVersion"),
        (_HUB, ("sku", "capacity"), "units"),
        (_HUB, ("location",), "region"),
        (_DPS, ("properties", "iotHubs"), "linkedHubs"),
        (_DPS, ("properties", "allocationPolicy"), "allocationpolicy"),
        (_DPS, ("identity", "userAssignedIdentities"), "userIdentities"),
        (_SITE, ("properties", "functionAppConfig", "runtime", "version"), "pythonVersion"),
        (_STORAGE, ("properties", "allowSharedKeyAccess"), "allowSharedKeys"),
        ("Microsoft.Insights/metricAlerts", ("properties", "severity"), "level"),
    ],
)
def test_a_misspelt_property_is_found(kind: str, path: tuple[str, ...], wrong: str) -> None:
    """
    Each seeded mistake is one problem that names it.
    """
    template = azure_template.source()
    resource = next(r for r in template["resources"] if r["type"] == kind)
    *outer, last = path
    for name in outer:
        resource = resource[name]
    resource[wrong] = resource.pop(last)

    found = [p for r in azure_template.resources(template) for p in arm_shapes.problems(r)]

    assert [f"{'.'.join([kind, *outer, wrong])} does not exist"] == found


def test_a_misspelt_property_of_the_link_is_found() -> None:
    """
    The link stands in a variable; it is looked at where it is used.
    """
    template = azure_template.source()
    link = template["variables"]["hubByIdentity"]
    link["selectedUserAssignedIdentity"] = link.pop("selectedUserAssignedIdentityResourceId")

    found = [p for r in azure_template.resources(template) for p in arm_shapes.problems(r)]

    assert [f"{_DPS}.properties.iotHubs[0].selectedUserAssignedIdentity does not exist"] == found


def test_everything_is_described() -> None:
    """
    Every parameter and output has a description, every resource a comment; all in sentences.
    """
    template = azure_template.source()
    told = [p.get("metadata", {}).get("description", "") for p in template["parameters"].values()]
    told += [o.get("metadata", {}).get("description", "") for o in template["outputs"].values()]
    told += [r.get("comments", "") for r in template["resources"]]

    assert [] == [t for t in told if not t.endswith(".")]


def test_roles_are_known_and_narrow() -> None:
    """
    By id, each from the table, each on one resource; the function has two on the hub: the registry's, and where
    manifests are uploaded, whose columns are tags, the twins'; and on each queue whose messages may fail the role
    that lets its host put them off, for without it the host ends (azure-docs#120932).
    """
    granted = [
        (
            _ROLES[r["properties"]["roleDefinitionId"].rsplit("/", 1)[1]],
            r["properties"]["principalType"],
            _scope(r["scope"]),
            next(who for kind, who in _WHO.items() if kind in str(r["properties"]["principalId"])),
        )
        for r in azure_template.source()["resources"]
        if r["type"] == "Microsoft.Authorization/roleAssignments"
        for r in [_with_role(r)]
    ]

    assert [
        ("IoT Hub Registry Contributor", "ServicePrincipal", _HUB, "dps"),
        ("IoT Hub Twin Contributor", "ServicePrincipal", _HUB, "dps"),
        ("IoT Hub Registry Contributor", "ServicePrincipal", _HUB, "site"),
        ("Storage Blob Data Owner", "ServicePrincipal", _STORAGE, "site"),
        ("Storage Queue Data Contributor", "ServicePrincipal", "queueName", "site"),
        ("Storage Queue Data Message Sender", "ServicePrincipal", "poisonName", "site"),
        ("Storage Queue Data Contributor", "ServicePrincipal", "uploadsName", "site"),
        ("Storage Queue Data Message Sender", "ServicePrincipal", "uploadsPoisonName", "site"),
        ("IoT Hub Twin Contributor", "ServicePrincipal", _HUB, "site"),
        ("Storage Queue Data Message Sender", "ServicePrincipal", _STORAGE, "events"),
        ("Monitoring Metrics Publisher", "ServicePrincipal", _INSIGHTS, "site"),
    ] == granted


def _scope(expression: str) -> str:
    """
    Return the type of what a role is assigned on, or which of the two queues it is.
    """
    kind, *names = re.findall(r"'([^']+)'", expression)
    return str(names[-1]) if kind == _QUEUE else str(kind)


def _with_role(resource: dict[str, Any]) -> dict[str, Any]:
    variables = azure_template.source()["variables"]
    (name,) = re.findall(r"variables\('(\w+)'\)\)\]$", resource["properties"]["roleDefinitionId"])
    return resource | {"properties": resource["properties"] | {"roleDefinitionId": f"/{variables[name]}"}}


def test_no_wildcard_stands_anywhere() -> None:
    """
    Neither in an action, an address nor an origin.
    """
    assert "*" not in azure_template.PATH.read_text("utf-8")


def test_z6_no_key_is_in_a_setting_or_an_output() -> None:
    """
    Z6: the reference's app has the key that owns the hub in its settings.
    """
    template = azure_template.source()
    settings = _one(_SITE)["properties"]["siteConfig"]["appSettings"]
    text = json.dumps([settings, template["outputs"], template["variables"]])

    assert [] == re.findall(r"(?i)listkeys|accountkey|sharedaccesskey|instrumentationkey|password|secret", text)
    assert 1 == json.dumps(template).count("listKeys(")


def test_z7_no_code_is_fetched_from_elsewhere() -> None:
    """
    Z7: the reference's template runs a zip from a branch that moves; ours names no address outside Azure.
    """
    template = azure_template.source()
    text = json.dumps({k: v for k, v in template.items() if k != "$schema"})

    # what interopURL begins with
    assert ["https://"] == re.findall(r"https?://[^'\" ]*", text)


def test_z8_place_and_size_are_parameters() -> None:
    """
    Z8: the reference deploys one S1 unit to where the group happens to be.
    """
    hub = _one(_HUB, location="northeurope", hubSku="S3", hubUnits=4)

    assert ("northeurope", {"name": "S3", "capacity": 4}) == (hub["location"], hub["sku"])


def test_keys_are_not_believed() -> None:
    """
    Not by the hub, the provisioning service, the storage, the logs, nor by who publishes code.
    """
    hub, dps = _one(_HUB)["properties"], _one(_DPS)["properties"]

    assert (True, True, True, "1.2") == (
        hub["disableLocalAuth"],
        hub["disableDeviceSAS"],
        hub["disableModuleSAS"],
        hub["minTlsVersion"],
    )
    assert ("UserAssigned", True) == (dps["iotHubs"][0]["authenticationType"], dps["disableLocalAuth"])
    assert not _one(_STORAGE)["properties"]["allowSharedKeyAccess"]
    assert _one(_INSIGHTS)["properties"]["DisableLocalAuth"]
    assert not _one("Microsoft.Web/sites/basicPublishingCredentialsPolicies")["properties"]["allow"]


def test_the_service_has_its_roles_before_the_link_is_made() -> None:
    """
    Azure would refuse a link to a hub that its identity may not use yet.
    """
    order = [r["type"] for r in azure_template.resources()]
    roles = [i for i, kind in enumerate(order) if kind == "Microsoft.Authorization/roleAssignments"]

    assert 2 == len([i for i in roles if i < order.index(_DPS)])


def test_settings_are_what_the_function_reads() -> None:
    """
    The plan's parameters end as environment that is read back into the region's own settings.
    """
    settings = _one(_SITE, **_planned())["properties"]["siteConfig"]["appSettings"]
    env = {s["name"]: s["value"] for s in settings if s["name"].startswith(PREFIX)}
    hub = _one(_HUB)["name"]

    assert Settings(
        audience=SUBSCRIPTION,
        token_key_url=TOKEN_KEY_URL,
        naming=Naming.FINGERPRINT,
        thing_prefix="p-",
        topic="up",
        trusted_issuers_file="/home/site/wwwroot/trusted_issuers.pem",
        hub=f"{hub}.azure-devices.net",
        queue_url=f"https://{_one(_STORAGE)['name']}.queue.core.windows.net/devices",
        quotas="IdentityRegistryOperations=500",
        manifest_signers_file="/home/site/wwwroot/manifest_signers.pem",
        manifest_attributes="site,place=Line",
    ) == Settings.from_env(env)


def test_the_plan_sets_every_parameter_but_the_link() -> None:
    """
    None is misspelt, none forgotten; how the link proves itself is not regions.toml's to say.
    """
    assert set(azure_template.source()["parameters"]) - {"dpsLink"} == set(_planned())


def test_outputs_are_what_our_tools_read() -> None:
    """
    The console's two first.
    """
    outputs = azure_template.evaluated().outputs()

    assert [str(o) for o in AzureOutput] == list(outputs)
    assert ["interopURL", "subscriptionId"] == list(outputs)[:2]
    assert re.fullmatch(r"https://firstlight-\w{13}\.azurewebsites\.net", outputs["interopURL"]["value"])
    assert SUBSCRIPTION == outputs["subscriptionId"]["value"]


def test_each_half_stands_alone() -> None:
    """
    Without ingest no function app, without dps no provisioning service; the outputs of what is not there are empty.
    """
    push_only = {r["type"] for r in azure_template.resources(dps=False)}
    dps_only = {r["type"] for r in azure_template.resources(ingest=False)}
    outputs = azure_template.evaluated(ingest=False, dps=False).outputs()

    assert _DPS not in push_only
    assert _SITE in push_only
    assert _SITE not in dps_only
    assert _DPS in dps_only
    assert {"", SUBSCRIPTION} == {outputs[o]["value"] for o in AzureOutput if not o.startswith("hub")}


def test_without_uploads_there_is_nothing_of_them() -> None:
    """
    No container, no queue, no event, no role on twins; and with no function app neither.
    """
    names = ("manifests", "reports", "uploads", "uploads-poison")
    for parameters in ({}, {"ingest": False, "manifestUploads": True}):
        made = azure_template.resources(**parameters)
        assert [] == [r["name"] for r in made if str(r["name"]).endswith(tuple(f"/{n}" for n in names))]
        assert [] == [r["name"] for r in made if r["type"].startswith("Microsoft.EventGrid")]
    settings = {s["name"]: s["value"] for s in _one(_SITE)["properties"]["siteConfig"]["appSettings"]}
    assert "" == settings["UploadsQueue__queueServiceUri"]


def test_a_long_prefix_is_refused_before_anything_is_made() -> None:
    """
    A storage account's name has 24 characters, the suffix 13 of them; regions.toml knows the same limit.
    """
    with pytest.raises(TemplateError, match="prefix"):
        azure_template.resources(prefix="twelve-chars")
    assert MAX_RESOURCE_GROUP == azure_template.source()["parameters"]["prefix"]["maxLength"]
    names = [r["name"] for r in azure_template.resources(prefix="a" * 11) if r["type"] == _STORAGE]
    assert [24] == [len(name) for name in names]


def test_two_regions_of_one_resource_group_do_not_meet() -> None:
    """
    Names depend on the region, too.
    """
    assert _one(_HUB, location="westeurope")["name"] != _one(_HUB, location="northeurope")["name"]


def test_the_function_runs_the_python_its_bundle_is_for() -> None:
    """
    Compiled packages fit one minor version only.
    """
    runtime = _one(_SITE)["properties"]["functionAppConfig"]["runtime"]

    assert {"name": "python", "version": azure_bundle.FUNCTION_PYTHON} == runtime


def test_what_goes_wrong_is_alerted() -> None:
    """
    Failures of the function and of DPS, refused devices, throttling of either kind; with an address they are sent.
    """
    kinds = {"Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/metricAlerts"}
    silent = [r for r in azure_template.resources() if r["type"] in kinds]
    heard = [r for r in azure_template.resources(alertEmail="ops@example.com") if r["type"] in kinds]

    assert [
        "devices-given-up",
        "devices-refused",
        "function-failures",
        "hub-throttling",
        "provisioning-failures",
        "registry-throttling",
    ] == sorted(r["name"].split("-", 2)[2] for r in silent)
    assert "actionGroups/firstlight-" not in json.dumps(silent)
    assert len(heard) == sum("actionGroups/firstlight-" in json.dumps(r) for r in heard)


def test_a_device_given_up_is_alerted_whatever_its_sender_proved_itself_by() -> None:
    """
    The log's StatusText is "Success" for keys only, and "OAuthSuccess" for Entra ID, which is all that this account
    takes; its StatusCode is 201 for both.
    """
    (query,) = re.findall(r"StorageQueueLogs[^\"]+", azure_template.PATH.read_text("utf-8"))

    assert "StatusCode startswith '2'" in query
    assert "StatusText" not in query


def test_the_functions_it_uses_are_the_ones_it_lists() -> None:
    """
    Whoever evaluates it without Azure knows what for.
    """
    template = azure_template.source()
    listed = template["metadata"]["description"].split("no other: ")[1]
    body = json.dumps({k: v for k, v in template.items() if k != "metadata"})
    expressions = re.findall(r'"(\[.*?\])"(?=[,:}\]])', body)
    used = {name for e in expressions for name in re.findall(r"(\w+)\(", re.sub(r"'[^']*'", "''", e))}

    assert sorted(used) == sorted(re.findall(r"[a-zA-Z]+", re.sub(r"\(in .*?\)", "", listed)))


def test_the_bicep_passes_what_the_template_takes() -> None:
    """
    It parses, calls azuredeploy.json, and names parameters and outputs that are there.
    """
    folder = azure_template.PATH.parent
    text = (folder / "main.bicep").read_text("utf-8")
    parsed = pycep.BicepParser().parse(text=text)
    module = parsed["modules"]["kit"]
    template = azure_template.source()

    assert "azuredeploy.json" == module["detail"]["path"]
    assert set(re.findall(r"^    (\w+): \1$", text, re.MULTILINE)) <= set(template["parameters"])
    assert set(re.findall(r"kit\.outputs\.(\w+)", text)) <= set(template["outputs"])
    given = json.loads((folder / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert set(given) <= set(parsed["parameters"])
