"""
The Azure template for tests: as it is committed, and as it is evaluated for a region.
"""

import json
from typing import Any

from firstlight.deploy.bundle import CHECKOUT
from firstlight.local.azure_cloud.arm_template import Place, Template

PATH = CHECKOUT / "azure" / "infra" / "azuredeploy.json"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TOKEN_KEY_URL = "https://cloudid.example/key.pem"
_PLACE = Place(subscription=SUBSCRIPTION, tenant="t", group="firstlight", location="westeurope")


def source() -> dict[str, Any]:
    template: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return template


def evaluated(template: dict[str, Any] | None = None, **parameters: Any) -> Template:
    """
    Return the template for *parameters*, with every resource it refers to answering alike.
    """
    given = {name: {"value": value} for name, value in {"tokenKeyUrl": TOKEN_KEY_URL, **parameters}.items()}
    return Template(source=template or source(), parameters=given, place=_PLACE, reference=_reference)


def resources(template: dict[str, Any] | None = None, **parameters: Any) -> list[dict[str, Any]]:
    """
    Return what is deployed for *parameters*, every expression evaluated.
    """
    made = evaluated(template, **parameters)
    return [made.evaluate(planned.source) for planned in made.resources()]


def _reference(resource: str) -> dict[str, Any]:
    name = resource.rsplit("/", 1)[1]
    return {
        "properties": {
            "hostName": f"{name}.azure-devices.net",
            "primaryEndpoints": {s: f"https://{name}.{s}.core.windows.net/" for s in ("blob", "queue")},
            "ConnectionString": "IngestionEndpoint=https://westeurope.in.applicationinsights.azure.com/",
            "defaultHostName": f"{name}.azurewebsites.net",
            "principalId": "p",
            "serviceOperationsHostName": f"{name}.azure-devices-provisioning.net",
            "idScope": "0ne00000001",
        },
        "identity": {"principalId": "p"},
    }
