"""
What is in the laptop's subscription from the start: an operator, a resource group, what the template makes in it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from firstlight.local.azure_cloud.access import (
    DPS_DATA_CONTRIBUTOR,
    HUB_DATA_CONTRIBUTOR,
    OWNER,
    Directory,
    Principal,
)
from firstlight.local.azure_cloud.arm_deployments import Deployments
from firstlight.local.azure_cloud.arm_resources import Resources
from firstlight.local.azure_cloud.world import Dps, Hub, World

# Owner alone has no data actions: without the others no enrollment is made and no twin read, as on Azure.
OPERATOR_ROLES = (OWNER, HUB_DATA_CONTRIBUTOR, DPS_DATA_CONTRIBUTOR)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """
    The application whose client secret the one at the laptop holds.
    """

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Seed:
    """
    `template` is an ARM template's JSON, None for no resources; `certificates` are PEM texts of CAs by name, let in
    to the hubs and services of the template as verified ones.
    """

    subscription: str
    tenant: str
    location: str
    group: str
    template: dict[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """
        Return what `Seed(**…)` takes.
        """
        return asdict(self)

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"


def sow(seed: Seed, operator: Operator) -> tuple[World, dict[str, str]]:
    """
    Return a world of *seed*, and the outputs of its template.

    Raises:
        Refusal: the template cannot be deployed.
    """
    world = World(subscription=seed.subscription, tenant=seed.tenant, directory=Directory())
    principal = Principal("operator", client_id=operator.client_id, secret=operator.secret)
    world.directory.enroll(principal)
    for role in OPERATOR_ROLES:
        world.directory.assign(principal.object_id, role, f"/subscriptions/{seed.subscription}")
    world.resources[seed.group_id.lower()] = {
        "id": seed.group_id,
        "name": seed.group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": seed.location,
        "properties": {"provisioningState": "Succeeded"},
    }
    return world, _deployed(seed, world)


def _deployed(seed: Seed, world: World) -> dict[str, str]:
    if seed.template is None:
        return {}
    resources = Resources(world)
    deployments = Deployments(world, resources)
    parameters = {name: {"value": value} for name, value in seed.parameters.items()}
    template = deployments.template(seed.group_id, {"template": seed.template, "parameters": parameters})
    outputs = deployments.deploy(template)["outputs"]
    owners: list[Hub | Dps] = [*world.hubs.values(), *world.services.values()]
    for owner in owners:
        for name, pem in seed.certificates.items():
            body = {"properties": {"certificate": pem, "isVerified": True}}
            resources.put(f"{owner.resource_id}/certificates/{name}", body)
    return {name: output["value"] for name, output in outputs.items()}
