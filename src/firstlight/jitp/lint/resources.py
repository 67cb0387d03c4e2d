"""
One resource of a template: the thing, the certificate, a policy.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from firstlight.jitp import names
from firstlight.jitp.lint.findings import Finding, error, warning
from firstlight.jitp.resources import CERTIFICATE, MAY_OVERRIDE, POLICY, PROPERTIES, THING
from firstlight.jitp.template import CERTIFICATE_ID, MAX_ATTRIBUTES, MAX_ATTRIBUTES_WITHOUT_TYPE, MAX_GROUPS

_MAX_POLICY = 2_048
_WHITE_SPACE = re.compile(r"\s+")


def check_resource(where: str, resource: dict[str, Any]) -> Iterator[Finding]:
    """
    Yield what is wrong with *resource*, one of the three types of a template.
    """
    kind, properties = resource["Type"], resource.get("Properties", {})
    if not isinstance(properties, dict):
        yield error(where, "Its Properties are not an object.")
        return
    yield from _check_properties(where, kind, properties)
    yield from _check_overrides(where, kind, resource, properties)
    check = {THING: _check_thing, CERTIFICATE: _check_certificate, POLICY: _check_policy}[kind]
    yield from check(where, properties)


def is_expression(value: Any) -> bool:
    """
    Whether *value* is a Ref, or a function (which another check refuses).
    """
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (name,) = value
    return isinstance(value.get("Ref"), str) or name.startswith("Fn::")


def _check_properties(where: str, kind: str, properties: dict[str, Any]) -> Iterator[Finding]:
    for name in sorted(properties.keys() - PROPERTIES[kind]):
        if name == "PackageVersions" and kind == THING:
            yield warning(f"{where}.{name}", "AWS IoT's guide knows PackageVersions; the laptop cloud does not.")
        else:
            known = ", ".join(sorted(PROPERTIES[kind]))
            yield error(f"{where}.{name}", f"JITP takes no property {name!r} of {kind}.", f"It takes {known}.")


def _check_overrides(where: str, kind: str, resource: dict[str, Any], properties: dict[str, Any]) -> Iterator[Finding]:
    known, settings = MAY_OVERRIDE[kind], resource.get("OverrideSettings", {})
    where_settings = f"{where}.OverrideSettings"
    if not isinstance(settings, dict):
        yield error(where_settings, "OverrideSettings is not an object.")
        return
    for name, value in settings.items():
        if name not in known:
            yield error(where_settings, f"{kind} has no override setting {name!r}.", f"Remove {name!r}.")
        elif not isinstance(value, str) or value not in known[name]:
            yield error(where_settings, f"{name} is {value!r}.", f"One of {', '.join(sorted(known[name]))}.")
    for name in sorted((known.keys() & properties.keys()) - settings.keys()):
        yield warning(
            where_settings,
            f"{name} is not set, and what AWS then does with one that exists already is not documented.",
            f"Set {name}, for instance to REPLACE.",
        )


def _check_thing(where: str, properties: dict[str, Any]) -> Iterator[Finding]:
    if "ThingName" not in properties:
        yield error(where, "The thing has no ThingName.")
    for name in properties.keys() & {"ThingName", "ThingTypeName", "BillingGroup"}:
        yield from _check_name(f"{where}.{name}", properties[name])
    if isinstance(properties.get("ThingName"), str):
        yield error(f"{where}.ThingName", "It is fixed, so that every device would be the same thing.", "Use a Ref.")
    groups = properties.get("ThingGroups", [])
    if not isinstance(groups, list):
        yield error(f"{where}.ThingGroups", "ThingGroups is not a list.")
        groups = []
    if len(groups) > MAX_GROUPS:
        yield error(f"{where}.ThingGroups", f"A thing is in {MAX_GROUPS} groups at most; these are {len(groups)}.")
    for group in groups:
        yield from _check_name(f"{where}.ThingGroups", group)
    yield from _check_attributes(f"{where}.AttributePayload", properties)


def _check_attributes(where: str, properties: dict[str, Any]) -> Iterator[Finding]:
    attributes = properties.get("AttributePayload", {})
    if not isinstance(attributes, dict) or "Ref" in attributes:
        yield error(where, "AttributePayload is not an object of names and values.")
        return
    if "attributes" in attributes:
        yield error(
            where, "It holds an object `attributes`, as the API wants it.", "In a template name and value stand here."
        )
        return
    typed = "ThingTypeName" in properties
    most = MAX_ATTRIBUTES if typed else MAX_ATTRIBUTES_WITHOUT_TYPE
    if len(attributes) > most:
        yield error(
            where,
            f"A thing {'with' if typed else 'without'} a thing type has {most} attributes at most; "
            f"these are {len(attributes)}.",
            "" if typed else f"Give it a ThingTypeName, and it may have {MAX_ATTRIBUTES}.",
        )
    for name, value in attributes.items():
        if not names.is_attribute_name(name):
            yield error(where, f"No attribute may be called {name!r}.")
        if isinstance(value, str) and not names.is_attribute_value(value):
            yield error(where, f"The attribute {name} may not be {value!r}.", "No spaces; letters, digits, _.,@/:#=[]-")
        elif not isinstance(value, str) and not is_expression(value):
            yield error(where, f"The attribute {name} is neither a string nor a Ref.")


def _check_name(where: str, value: Any) -> Iterator[Finding]:
    if isinstance(value, str) and not names.is_thing_name(value):
        yield error(where, f"{value!r} is not a name AWS IoT takes.", "1 to 128 of letters, digits, _ : and -")
    elif not isinstance(value, str) and not is_expression(value):
        yield error(where, "It is neither a string nor a Ref.")


def _check_certificate(where: str, properties: dict[str, Any]) -> Iterator[Finding]:
    if properties.get("CertificateId") != {"Ref": CERTIFICATE_ID}:
        yield error(
            f"{where}.CertificateId",
            "A JITP template names its certificate by CertificateId and in no other way.",
            f'Write "CertificateId": {{"Ref": "{CERTIFICATE_ID}"}}.',
        )
    status = properties.get("Status", "ACTIVE")
    if not isinstance(status, str):
        yield error(f"{where}.Status", "It is not a string.", "Set it to ACTIVE.")
    elif status.upper() != "ACTIVE":
        known = status.upper() == "INACTIVE"
        say = warning if known else error
        sentence = "The device stays out until somebody activates its certificate." if known else f"It is {status!r}."
        yield say(f"{where}.Status", sentence, "Set it to ACTIVE.")


def _check_policy(where: str, properties: dict[str, Any]) -> Iterator[Finding]:
    name, document = properties.get("PolicyName"), properties.get("PolicyDocument")
    if ("PolicyName" in properties) == ("PolicyDocument" in properties):
        yield error(
            where,
            "A policy has a PolicyName or a PolicyDocument, one of the two; AWS refuses the template.",
            "Name a policy that exists: PolicyName.",
        )
    is_name = isinstance(name, str) and names.is_policy_name(name)
    if "PolicyName" in properties and not is_name and not is_expression(name):
        yield error(f"{where}.PolicyName", f"{name!r} is not the name of a policy.")
    if "PolicyDocument" in properties:
        yield from _check_document(f"{where}.PolicyDocument", document)


def _check_document(where: str, document: Any) -> Iterator[Finding]:
    yield warning(
        where,
        "The policy will be named by a hash of its document: every edit makes another, and no stack removes them.",
        "Make the policy in a stack and name it here: PolicyName.",
    )
    if not isinstance(document, str):
        yield error(where, "PolicyDocument is not a string: it is JSON inside a string.", "Escape it once more.")
        return
    if not _is_object(document):
        yield error(where, "The document is not a JSON object.", "Escape it by a program, not by hand.")
    if len(_WHITE_SPACE.sub("", document)) > _MAX_POLICY:
        yield error(where, f"A policy has {_MAX_POLICY:,} characters at most, white space aside.")


def _is_object(document: str) -> bool:
    try:
        return isinstance(json.loads(document), dict)
    except (ValueError, RecursionError):
        return False
