"""
Template deployments: what-if, and the resources of a template put one after the other.
"""

from typing import Any
from uuid import uuid4

from firstlight.local.azure_cloud.arm_expression import TemplateError
from firstlight.local.azure_cloud.arm_resources import Resources
from firstlight.local.azure_cloud.arm_template import Place, Planned, Template
from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.world import World


class Deployments:
    """
    Evaluates templates against the resources that are there.
    """

    def __init__(self, world: World, resources: Resources) -> None:
        self._world = world
        self._resources = resources

    def template(self, group_id: str, properties: dict[str, Any]) -> Template:
        """
        Return the template of a deployment's *properties*, ready to be evaluated in the resource group.

        Raises:
            Refusal: there is no such group, no template, or it cannot be evaluated.
        """
        group = self._world.resources.get(group_id.lower())
        if group is None:
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{group_id}' could not be found.")
        source = properties.get("template")
        if not isinstance(source, dict):
            raise Refusal(400, "InvalidTemplate", "The deployment has no template; links are not followed here.")
        place = Place(
            subscription=self._world.subscription,
            tenant=self._world.tenant,
            group=group["name"],
            location=group["location"],
        )
        try:
            return Template(
                source=source,
                parameters=properties.get("parameters") or {},
                place=place,
                reference=self._resources.get,
            )
        except TemplateError as e:
            raise _invalid(e) from e

    def validate(self, template: Template) -> list[Planned]:
        """
        Return what *template* would deploy.

        Raises:
            Refusal: it cannot be evaluated.
        """
        try:
            return template.resources()
        except TemplateError as e:
            raise _invalid(e) from e

    def deploy(self, template: Template) -> dict[str, Any]:
        """
        Put the resources of *template*; return the outputs and what was put.

        Raises:
            Refusal: the first resource that could not be; what came before it stays.
        """
        planned = self.validate(template)
        done = []
        for one in planned:
            try:
                shown, _ = self._resources.put(one.id, template.evaluate(one.source))
            except TemplateError as e:
                raise _invalid(e) from e
            except Refusal as refusal:
                raise Refusal(refusal.status, refusal.code, f"{one.id}: {refusal.message}") from refusal
            done.append({"id": shown["id"]})
        try:
            return {"outputs": template.outputs(), "outputResources": done}
        except TemplateError as e:
            raise _invalid(e) from e

    def what_if(self, template: Template) -> list[dict[str, Any]]:
        """
        Return the changes that deploying *template* would make.

        Raises:
            Refusal: it cannot be evaluated.
        """
        return [self._change(one, template) for one in self.validate(template)]

    def _change(self, one: Planned, template: Template) -> dict[str, Any]:
        before = self._world.resources.get(one.id.lower())
        try:
            after = template.evaluate(one.source)
        except (TemplateError, Refusal):
            # it refers to what this deployment would create first
            after = {"id": one.id}
        change = {"resourceId": one.id, "after": after | {"id": one.id}}
        if before is None:
            return change | {"changeType": "Create"}
        delta = list(_delta(before, after))
        return change | {"before": before, "changeType": "Modify" if delta else "NoChange", "delta": delta}


def failure(refusal: Refusal) -> dict[str, Any]:
    """
    Return the error of a deployment that failed for *refusal*.
    """
    return {
        "code": "DeploymentFailed",
        "message": "At least one resource deployment operation failed. Please list deployment operations for details.",
        "details": [{"code": str(refusal.code), "message": refusal.message}],
    }


def operation_id() -> str:
    return uuid4().hex


def _delta(before: Any, after: Any, path: str = "") -> Any:
    """
    Yield each leaf of *after* that *before* has otherwise; what only Azure sets is not compared.
    """
    if isinstance(after, dict) and isinstance(before, dict):
        for name, value in after.items():
            # a part's template name has its parents' before it
            if name != "apiVersion" and (path or name != "name"):
                yield from _delta(before.get(name), value, f"{path}.{name}" if path else name)
    elif after != before:
        kind = "Create" if before is None else "Modify"
        yield {"path": path, "propertyChangeType": kind, "before": before, "after": after}


def _invalid(error: TemplateError) -> Refusal:
    return Refusal(400, "InvalidTemplate", f"Deployment template validation failed: {error}")
