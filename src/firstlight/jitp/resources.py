"""
The resources of a JITP template, read one by one and checked as AWS IoT would.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from firstlight.errors import JitpError
from firstlight.jitp import names, template

THING, CERTIFICATE, POLICY = "AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"
_NOTHING: Mapping[str, str] = MappingProxyType({})

_KEEP_OR_FAIL = frozenset({"DO_NOTHING", "REPLACE", "FAIL"})
MAY_OVERRIDE: dict[str, dict[str, frozenset[str]]] = {
    THING: {
        "AttributePayload": _KEEP_OR_FAIL | {"MERGE"},
        "ThingTypeName": _KEEP_OR_FAIL,
        "ThingGroups": _KEEP_OR_FAIL | {"MERGE"},
    },
    CERTIFICATE: {"Status": _KEEP_OR_FAIL},
    POLICY: {},
}
PROPERTIES = {
    THING: {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"},
    CERTIFICATE: {"CertificateId", "Status"},
    POLICY: {"PolicyName", "PolicyDocument"},
}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """
    What a template asks for, of one device.

    An empty string is "not asked for"; `overrides` maps AttributePayload, ThingTypeName, ThingGroups and
    Status to REPLACE, DO_NOTHING, FAIL or MERGE, where the template says one.
    """

    thing_name: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    thing_type: str = ""
    thing_groups: tuple[str, ...] = ()
    billing_group: str = ""
    status: str = "ACTIVE"
    policy_names: tuple[str, ...] = ()
    policy_documents: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


def read_thing(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the fields of `Resources` that a thing's resolved properties give.

    Raises:
        JitpError: AWS IoT would not take one of them.
    """
    found: dict[str, Any] = {"thing_name": _named("ThingName", given.get("ThingName"), names.is_thing_name)}
    for key, name in (("thing_type", "ThingTypeName"), ("billing_group", "BillingGroup")):
        if name in given:
            found[key] = _named(name, given[name], names.is_thing_name)
    groups = given.get("ThingGroups", [])
    if not isinstance(groups, list) or len(groups) > template.MAX_GROUPS:
        raise JitpError(f"The template's ThingGroups is not a list of at most {template.MAX_GROUPS} names.")
    found["thing_groups"] = tuple(_named("a thing group", group, names.is_thing_name) for group in groups)
    most = template.MAX_ATTRIBUTES if "thing_type" in found else template.MAX_ATTRIBUTES_WITHOUT_TYPE
    found["attributes"] = MappingProxyType(_attributes(given.get("AttributePayload", {}), most))
    return found


def read_certificate(given: Mapping[str, Any], certificate_id: str | None) -> dict[str, Any]:
    """
    Return the fields of `Resources` that the certificate's resolved properties give.

    Raises:
        JitpError: it is not the device's own certificate, or its status is not one.
    """
    if certificate_id is None or given.get("CertificateId") != certificate_id:
        raise JitpError(
            "The template's CertificateId is not the device's own certificate.",
            hint='JITP takes only {"Ref": "AWS::IoT::Certificate::Id"} there.',
        )
    status = given.get("Status", "ACTIVE")
    if not isinstance(status, str) or status.upper() not in {"ACTIVE", "INACTIVE"}:
        raise JitpError(f"The template's certificate Status is {status!r}.", hint="It may be ACTIVE or INACTIVE.")
    return {"status": status.upper()}


def read_policy(given: Mapping[str, Any]) -> tuple[str, str]:
    """
    Return a policy's name or its document; the other one is empty.

    Raises:
        JitpError: there are both, or neither, or AWS IoT would not take it.
    """
    if ("PolicyName" in given) == ("PolicyDocument" in given):
        raise JitpError("The template's policy needs exactly one of PolicyName and PolicyDocument.")
    if "PolicyName" in given:
        return _named("PolicyName", given["PolicyName"], names.is_policy_name), ""
    text = given["PolicyDocument"]
    try:
        is_object = isinstance(text, str) and isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise JitpError(
            "The template's PolicyDocument is not a JSON object in a string.",
            hint="Escape it with json.dumps, or name a policy that exists.",
        )
    return "", text


def read_overrides(logical_name: str, kind: str, resource: Mapping[str, Any]) -> dict[str, str]:
    """
    Raises:
        JitpError: OverrideSettings names something that cannot be overridden, or not in that way.
    """
    overrides = resource.get("OverrideSettings", {})
    if not isinstance(overrides, Mapping):
        raise JitpError(f"The template's resource {logical_name!r} has OverrideSettings that are not an object.")
    for name, setting in overrides.items():
        allowed = MAY_OVERRIDE[kind].get(name)
        if allowed is None:
            raise JitpError(f"The template's resource {logical_name!r} overrides {name}, which JITP does not know.")
        if not isinstance(setting, str) or setting not in allowed:
            raise JitpError(
                f"The template's resource {logical_name!r} overrides {name} with {setting!r}.",
                hint=f"It may be {', '.join(sorted(allowed))}.",
            )
    return dict(overrides)


def _attributes(payload: Any, most: int) -> dict[str, str]:
    if not isinstance(payload, dict) or "attributes" in payload:
        raise JitpError(
            "The template's AttributePayload is not a flat object of names and values.",
            hint='Write {"AttributePayload": {"model": "x"}}; the API\'s {"attributes": …} is not for templates.',
        )
    if len(payload) > most:
        raise JitpError(
            f"The template gives the thing {len(payload)} attributes; it may have {most}.",
            hint=f"With a thing type a thing may have {template.MAX_ATTRIBUTES}.",
        )
    for name, value in payload.items():
        _named("the name of an attribute", name, names.is_attribute_name)
        _named(f"the attribute {name}", value, names.is_attribute_value)
    return payload


def _named(what: str, value: Any, takes: Callable[[str], bool]) -> str:
    if isinstance(value, str) and takes(value):
        return value
    raise JitpError(
        f"AWS IoT does not take {value!r} as {what}.",
        hint="Letters, digits and a few signs are allowed, spaces never; see the ThingName and Attributes of its API.",
    )
