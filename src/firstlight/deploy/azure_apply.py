"""
A plan carried out in Azure, step by step; each may be done again.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight import azure_clients, pki
from firstlight.azure_clients import MANAGEMENT_SCOPE, NOT_FOUND, Azure
from firstlight.deploy import azure_ca, azure_enrollments, tree
from firstlight.deploy.azure_plan import Plan
from firstlight.errors import DeploymentError
from firstlight.outputs import AzureOutput

_GROUPS_VERSION = "api-version=2021-04-01"
# Kudu's: https://github.com/projectkudu/kudu/wiki/Deployment-API
_FAILED, _SUCCEEDED = 3, 4
_PUBLISH_TIME = 600.0  # seconds

Tell = Callable[[str], None]


def apply(
    plan: Plan,
    azure: Azure,
    *,
    bundle: Path | None,
    keys: Mapping[str, pki.PrivateKey],
    now: datetime,
    tell: Tell,
    pause: float = 5.0,
) -> dict[str, str]:
    """
    Do what *plan* says and return the deployment's outputs.

    *bundle* is the function's folder, if the plan publishes it; *keys* are those of CAs, by fingerprint;
    *tell* hears a line a step; *pause* is the time between two looks at what takes its time, in seconds.

    Raises:
        DeploymentError: Azure refused, or a step failed; those before it are done.
    """
    _have_group(plan, azure, tell)
    outputs = _deploy(plan, azure, pause)
    tell(f"{plan.deployment} is deployed")
    if bundle is not None:
        _publish(outputs[AzureOutput.INTEROP_URL], bundle, azure, pause)
        tell(f"the code of {outputs[AzureOutput.FUNCTION_APP_NAME]} is published")
    places = [azure_ca.hub(azure, plan.resource_group, outputs[AzureOutput.HUB_NAME])]
    if plan.dps:
        places.append(azure_ca.dps(azure, plan.resource_group, outputs[AzureOutput.DPS_NAME]))
    for upload in plan.uploads:
        key = keys.get(upload.certificate.fingerprint)
        for place in places:
            done = azure_ca.upload(place, upload.name, upload.certificate, key=key, now=now)
            tell(f"{upload.name} on the {place.name}: {done}")
    if plan.groups:
        rest = azure_enrollments.service(azure, outputs[AzureOutput.DPS_HOST_NAME])
        for group in plan.groups:
            made = azure_enrollments.create(rest, group.name, ca=group.ca)
            tell(f"enrollment group {group.name}: {'created' if made.new else 'there already'}")
            for difference in made.differences:
                tell(difference)
    return outputs


def what_if(plan: Plan, azure: Azure, *, pause: float = 5.0) -> list[tuple[str, str]]:
    """
    Return what Azure itself says the template would change: kinds of change and ids of resources.

    Raises:
        DeploymentError: Azure refused; if the resource group is not there yet, there is nothing to compare with.
    """
    with azure_clients.refusals(f"Asking what {plan.deployment} would change"):
        if not _group_is_there(plan, azure):
            return [("Create", f"/subscriptions/{plan.subscription}/resourceGroups/{plan.resource_group}")]
        asked = azure.deployments().begin_what_if(
            plan.resource_group, plan.deployment, {"properties": _properties(plan)}, polling_interval=pause
        )
        result = asked.result()
    changes = (result.properties and result.properties.changes) or ()
    # an enum's member, or its text when the library does not know it yet
    return [(str(getattr(c.change_type, "value", c.change_type)), str(c.resource_id)) for c in changes]


def outputs_of(azure: Azure, resource_group: str, deployment: str) -> dict[str, str]:
    """
    Return the outputs of a deployment of before.

    Raises:
        DeploymentError: there was none, or Azure refused.
    """
    with azure_clients.refusals(f"Looking for the deployment {deployment} in {resource_group}"):
        try:
            found = azure.deployments().get(resource_group, deployment)
        except Exception as e:
            if azure_clients.is_missing(e):
                raise DeploymentError(
                    f"There is no deployment {deployment} in the resource group {resource_group}.",
                    hint="Deploy first: firstlight azure deploy",
                ) from e
            raise
    return _outputs(found)


def _properties(plan: Plan) -> dict[str, Any]:
    return {
        "mode": "Incremental",
        "template": json.loads(plan.template),
        "parameters": {name: {"value": value} for name, value in plan.parameters.items()},
    }


def _group_path(plan: Plan) -> str:
    return f"/subscriptions/{plan.subscription}/resourcegroups/{plan.resource_group}?{_GROUPS_VERSION}"


def _group_is_there(plan: Plan, azure: Azure) -> bool:
    return azure.rest().send("HEAD", _group_path(plan), allowed=(NOT_FOUND,)).status != NOT_FOUND


def _have_group(plan: Plan, azure: Azure, tell: Tell) -> None:
    with azure_clients.refusals(f"Creating the resource group {plan.resource_group}"):
        if _group_is_there(plan, azure):
            tell(f"resource group {plan.resource_group}: there already")
            return
        azure.rest().send("PUT", _group_path(plan), json_body={"location": plan.region})
        tell(f"resource group {plan.resource_group}: created")


def _deploy(plan: Plan, azure: Azure, pause: float) -> dict[str, str]:
    with azure_clients.refusals(f"Deploying {plan.deployment} to {plan.resource_group}"):
        begun = azure.deployments().begin_create_or_update(
            plan.resource_group, plan.deployment, {"properties": _properties(plan)}, polling_interval=pause
        )
        return _outputs(begun.result())


def _outputs(deployment: Any) -> dict[str, str]:
    given = (deployment.properties and deployment.properties.outputs) or {}
    outputs = {name: str(output.get("value", "")) for name, output in given.items()}
    if missing := sorted(set(AzureOutput) - set(outputs)):
        raise DeploymentError(
            f"The deployment has no output {', '.join(missing)}; it is not of this template.",
            hint="Deploy again: firstlight azure deploy",
        )
    return outputs


def _publish(url: str, bundle: Path, azure: Azure, pause: float) -> None:
    """
    Hand the bundle to Flex Consumption, which takes it as it is ("one deploy"), and wait until it runs.
    """
    label, _, domain = url.removeprefix("https://").partition(".")
    rest = azure.rest(f"https://{label}.scm.{domain}", MANAGEMENT_SCOPE)
    with azure_clients.refusals(f"Publishing the code of {label}"), tempfile.TemporaryDirectory() as scratch:
        content = tree.archive(bundle, Path(scratch) / "bundle.zip").read_bytes()
        headers = {"Content-Type": "application/zip"}
        rest.send("POST", "/api/publish?RemoteBuild=false", content=content, headers=headers)
        end = time.monotonic() + _PUBLISH_TIME
        while (status := _published(rest)) != _SUCCEEDED:
            if status == _FAILED:
                raise DeploymentError(
                    f"Publishing the code of {label} failed.",
                    hint="The app's new role on its storage may not be known yet: deploy again in some minutes.",
                )
            if time.monotonic() + pause > end:
                raise DeploymentError(f"The code of {label} is still being published.", hint="Look again later.")
            time.sleep(pause)


def _published(rest: azure_clients.Rest) -> int:
    answer = rest.send("GET", "/api/deployments/latest", allowed=(NOT_FOUND,))
    return int(answer.body.get("status", 0)) if isinstance(answer.body, dict) else 0
