"""
Thing types, thing groups and billing groups of the stub of AWS IoT, as far as provisioning meets them.
"""

from typing import Any

from benchmarks.stub_registry import Registry, Thing, missing
from benchmarks.stub_request import Request


def require(registry: Registry, thing: Thing) -> None:
    """
    Refuse *thing* if its type or its billing group does not exist.
    """
    if thing.type_name is not None:
        _known(thing.type_name in registry.types, f"Thing type {thing.type_name}")
    if thing.billing_group is not None:
        _known(thing.billing_group in registry.billing_groups, f"Billing group {thing.billing_group}")


def describe_type(registry: Registry, request: Request) -> dict[str, Any]:
    _known(request.name in registry.types, f"Thing type {request.name}")
    return {"thingTypeName": request.name}


def describe_group(registry: Registry, request: Request) -> dict[str, Any]:
    _known(request.name in registry.groups, f"Thing group {request.name}")
    return {"thingGroupName": request.name}


def describe_billing_group(registry: Registry, request: Request) -> dict[str, Any]:
    _known(request.name in registry.billing_groups, f"Billing group {request.name}")
    return {"billingGroupName": request.name}


def join(registry: Registry, request: Request) -> dict[str, Any]:
    thing, group = str(request.body["thingName"]), str(request.body["thingGroupName"])
    registry.thing(thing)
    _known(group in registry.groups, f"Thing group {group}")
    registry.groups[group].add(thing)
    return {}


def join_billing_group(registry: Registry, request: Request) -> dict[str, Any]:
    group = str(request.body["billingGroupName"])
    thing = registry.thing(str(request.body["thingName"]))
    _known(group in registry.billing_groups, f"Billing group {group}")
    thing.billing_group = group
    return {}


def groups_of(registry: Registry, request: Request) -> dict[str, Any]:
    # One to a page, so that whoever forgets the next page notices.
    registry.thing(request.name)
    found = sorted(name for name, members in registry.groups.items() if request.name in members)
    start = int(request.query.get("nextToken", 0))
    more = {"nextToken": str(start + 1)} if len(found) > start + 1 else {}
    return {"thingGroups": [{"groupName": name} for name in found[start : start + 1]], **more}


def _known(known: bool, what: str) -> None:  # noqa: FBT001 -- read as a sentence
    if not known:
        raise missing(what)
