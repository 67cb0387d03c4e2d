"""
What properties a resource may have: from the management SDKs' models, else from a list kept by hand.

A shape is a dictionary by property name; None takes anything, a list has elements of its one shape, and the
name "*" stands for every other name.
"""

# ruff: noqa: SLF001 -- what a model says of itself has no public name

from typing import Any, get_args, get_origin

from azure.mgmt.iothub.v2023_06_30 import models as hub_models
from azure.mgmt.iothubprovisioningservices import models as dps_models

Shape = dict[str, Any] | list[Any] | None
_ENVELOPE = {"type", "apiVersion", "name", "comments", "condition", "dependsOn", "scope"}
_TRACKED: dict[str, Shape] = {"location": None, "tags": {"*": None}}
_SKU: Shape = {"name": None, "tier": None, "capacity": None}
_IDENTITY: Shape = {"type": None, "userAssignedIdentities": {"*": {}}}


def of_msrest(name: str) -> Shape:
    """
    The shape of a model of azure-mgmt-iothub, without what only the service writes.
    """
    model = getattr(hub_models, name, None)
    if not hasattr(model, "_attribute_map"):
        return None
    readonly = {k for k, rules in model._validation.items() if rules.get("readonly")}
    return {
        field["key"]: _of_msrest_type(field["type"])
        for attribute, field in model._attribute_map.items()
        if attribute not in readonly
    }


def _of_msrest_type(kind: str) -> Shape:
    if kind.startswith("["):
        return [_of_msrest_type(kind[1:-1])]
    if kind.startswith("{"):
        return {"*": _of_msrest_type(kind[1:-1])}
    return of_msrest(kind)


def of_hybrid(name: str) -> Shape:
    """
    The shape of a model of azure-mgmt-iothubprovisioningservices, without what only the service writes.
    """
    model = getattr(dps_models, name)
    fields = model({})._attr_to_rest_field
    annotations = {k: v for base in reversed(model.__mro__) for k, v in getattr(base, "__annotations__", {}).items()}
    return {
        field._rest_name: _of_hybrid_type(annotations[attribute])
        for attribute, field in fields.items()
        if field._visibility != ["read"]
    }


def _of_hybrid_type(annotation: Any) -> Shape:
    if isinstance(annotation, str):
        return of_hybrid(annotation.removeprefix("_models."))
    if hasattr(annotation, "__forward_arg__"):
        name = annotation.__forward_arg__.removeprefix("_models.")
        found = getattr(dps_models, name, None)
        return of_hybrid(name) if hasattr(found, "as_dict") else None
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        return [_of_hybrid_type(arguments[0])]
    if origin is dict:
        return {"*": _of_hybrid_type(arguments[1])}
    shapes = [shape for a in arguments if (shape := _of_hybrid_type(a)) is not None]
    return shapes[0] if shapes else None


_QUERY_ALERT: Shape = {
    "displayName": None,
    "description": None,
    "enabled": None,
    "severity": None,
    "evaluationFrequency": None,
    "windowSize": None,
    "autoMitigate": None,
    "skipQueryValidation": None,
    "scopes": [None],
    "criteria": {
        "allOf": [
            {
                "query": None,
                "timeAggregation": None,
                "operator": None,
                "threshold": None,
                "failingPeriods": {"numberOfEvaluationPeriods": None, "minFailingPeriodsToAlert": None},
            }
        ]
    },
    "actions": {"actionGroups": [None]},
}
_METRIC_ALERT: Shape = {
    "description": None,
    "enabled": None,
    "severity": None,
    "evaluationFrequency": None,
    "windowSize": None,
    "autoMitigate": None,
    "scopes": [None],
    "criteria": {
        "odata.type": None,
        "allOf": [
            {
                "criterionType": None,
                "name": None,
                "metricNamespace": None,
                "metricName": None,
                "timeAggregation": None,
                "operator": None,
                "threshold": None,
            }
        ],
    },
    "actions": [{"actionGroupId": None}],
}
# Neither the checkout nor its extras have a management SDK of these.  Each line is from the page of its
# type and API version below https://learn.microsoft.com/azure/templates/ and holds what we use, no more.
_BY_HAND: dict[str, tuple[str, Shape]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("2023-01-31", _TRACKED),
    "Microsoft.OperationalInsights/workspaces": (
        "2023-09-01",
        _TRACKED
        | {"properties": {"sku": {"name": None}, "retentionInDays": None, "features": {"disableLocalAuth": None}}},
    ),
    "Microsoft.Authorization/roleAssignments": (
        "2022-04-01",
        {"properties": {"roleDefinitionId": None, "principalId": None, "principalType": None}},
    ),
    "Microsoft.Storage/storageAccounts": (
        "2024-01-01",
        _TRACKED
        | {
            "kind": None,
            "sku": {"name": None},
            "properties": {
                "allowSharedKeyAccess": None,
                "allowBlobPublicAccess": None,
                "defaultToOAuthAuthentication": None,
                "minimumTlsVersion": None,
                "supportsHttpsTrafficOnly": None,
            },
        },
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        "2024-01-01",
        {"properties": {"publicAccess": None}},
    ),
    "Microsoft.Storage/storageAccounts/queueServices/queues": ("2024-01-01", {"properties": {}}),
    "Microsoft.EventGrid/systemTopics": (
        "2022-06-15",
        _TRACKED | {"identity": _IDENTITY, "properties": {"source": None, "topicType": None}},
    ),
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": (
        "2022-06-15",
        {
            "properties": {
                "deliveryWithResourceIdentity": {
                    "identity": {"type": None},
                    "destination": {
                        "endpointType": None,
                        "properties": {"resourceId": None, "queueName": None, "queueMessageTimeToLiveInSeconds": None},
                    },
                },
                "eventDeliverySchema": None,
                "filter": {"subjectBeginsWith": None, "includedEventTypes": [None]},
            }
        },
    ),
    "Microsoft.Insights/components": (
        "2020-02-02",
        _TRACKED
        | {
            "kind": None,
            "properties": {"Application_Type": None, "WorkspaceResourceId": None, "DisableLocalAuth": None},
        },
    ),
    "Microsoft.Web/serverfarms": (
        "2024-04-01",
        _TRACKED | {"kind": None, "sku": _SKU, "properties": {"reserved": None}},
    ),
    "Microsoft.Web/sites": (
        "2024-04-01",
        _TRACKED
        | {
            "kind": None,
            "identity": _IDENTITY,
            "properties": {
                "serverFarmId": None,
                "httpsOnly": None,
                "clientCertEnabled": None,
                "functionAppConfig": {
                    "deployment": {"storage": {"type": None, "value": None, "authentication": {"type": None}}},
                    "runtime": {"name": None, "version": None},
                    "scaleAndConcurrency": {"instanceMemoryMB": None, "maximumInstanceCount": None},
                },
                "siteConfig": {"minTlsVersion": None, "appSettings": [{"name": None, "value": None}]},
            },
        },
    ),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": ("2024-04-01", {"properties": {"allow": None}}),
    "Microsoft.Insights/diagnosticSettings": (
        "2021-05-01-preview",
        {"properties": {"workspaceId": None, "logs": [{"category": None, "enabled": None}]}},
    ),
    "Microsoft.Insights/actionGroups": (
        "2023-01-01",
        _TRACKED
        | {
            "properties": {
                "groupShortName": None,
                "enabled": None,
                "emailReceivers": [{"name": None, "emailAddress": None, "useCommonAlertSchema": None}],
            }
        },
    ),
    "Microsoft.Insights/scheduledQueryRules": ("2023-12-01", _TRACKED | {"kind": None, "properties": _QUERY_ALERT}),
    "Microsoft.Insights/metricAlerts": ("2018-03-01", _TRACKED | {"properties": _METRIC_ALERT}),
}


def known() -> dict[str, tuple[str, Shape]]:
    """
    Return the API version and the shape of each type of resource.
    """
    return {
        "Microsoft.Devices/IotHubs": ("2023-06-30", of_msrest("IotHubDescription")),
        "Microsoft.Devices/provisioningServices": ("2026-11-01", of_hybrid("ProvisioningServiceDescription")),
        **_BY_HAND,
    }


def problems(resource: dict[str, Any]) -> list[str]:
    """
    Say what of *resource* its type does not know.
    """
    kind = resource["type"]
    if kind not in known():
        return [f"{kind} is not known"]
    version, shape = known()[kind]
    found = [] if version == resource["apiVersion"] else [f"{kind} is described at {version}"]
    return found + _walk({k: v for k, v in resource.items() if k not in _ENVELOPE}, shape, kind)


def _walk(value: Any, shape: Shape, where: str) -> list[str]:
    if shape is None:
        return []
    if isinstance(shape, list):
        return [p for i, item in enumerate(value) for p in _walk(item, shape[0], f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    found = []
    for name, part in value.items():
        if name not in shape and "*" not in shape:
            found.append(f"{where}.{name} does not exist")
        else:
            found += _walk(part, shape.get(name, shape.get("*")), f"{where}.{name}")
    return found
