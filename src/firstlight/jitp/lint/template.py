"""
The template alone: is it one that AWS IoT takes, and that JITP can run?
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from firstlight.errors import UsageError
from firstlight.jitp.lint.findings import Finding, error, warning
from firstlight.jitp.lint.resources import check_resource
from firstlight.jitp.resources import CERTIFICATE, POLICY, THING
from firstlight.jitp.template import CERTIFICATE_ID, COMMON_NAME, MAX_BODY, PARAMETERS, SERIAL_NUMBER

_SECTIONS = {"Parameters", "Resources"}
_UNIQUE = (COMMON_NAME, SERIAL_NUMBER, CERTIFICATE_ID)
_FLEET_ONLY = {"Mappings", "DeviceConfiguration"}
_DEPTH = 20  # twice what the deepest of AWS's examples needs
_KINDS = (THING, CERTIFICATE, POLICY)


def parse(text: str) -> dict[str, Any]:
    """
    Return the template body in *text*: the body itself, or a JSON object that holds it as `templateBody`.

    Raises:
        UsageError: *text* is neither.
    """
    try:
        document = json.loads(text)
        if isinstance(document, dict) and isinstance(document.get("templateBody"), str):
            document = json.loads(document["templateBody"])
    except (json.JSONDecodeError, RecursionError) as e:
        raise UsageError("The template is not JSON.", hint=_position(e)) from e
    if not isinstance(document, dict):
        raise UsageError("The template is JSON, but not an object.")
    if _is_deep(document):
        raise UsageError("The template is nested deeper than any that AWS IoT knows.")
    return document


def check_template(body: Mapping[str, Any]) -> list[Finding]:
    """
    Return what is wrong with the template *body*, whatever the certificate.
    """
    return [
        *_check_size(body),
        *_check_sections(body),
        *_check_parameters(body),
        *_check_references(body),
        *_check_functions(body.get("Resources")),
        *_check_resources(body.get("Resources")),
    ]


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(_DEPTH):
        level = [item for value in level for item in _items(value)]
    return bool(level)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _position(e: Exception) -> str:
    return f"Line {e.lineno}, column {e.colno}: {e.msg}." if isinstance(e, json.JSONDecodeError) else ""


def _check_size(body: Mapping[str, Any]) -> Iterator[Finding]:
    length = len(json.dumps(body, separators=(",", ":")))
    if length > MAX_BODY:
        yield error(
            "template",
            f"It has {length:,} characters, white space aside; AWS takes {MAX_BODY:,}.",
            "Name a policy instead of writing its document here.",
        )


def _check_sections(body: Mapping[str, Any]) -> Iterator[Finding]:
    for name in body:
        if name in _FLEET_ONLY:
            yield warning(
                name, f"{name} is documented for fleet provisioning only; JITP has no use for it.", f"Remove {name}."
            )
        elif name not in _SECTIONS:
            yield warning(name, f"A template has no section {name!r}.", f"Remove {name!r}.")


def _check_parameters(body: Mapping[str, Any]) -> Iterator[Finding]:
    parameters = body.get("Parameters", {})
    if not isinstance(parameters, dict):
        yield error("Parameters", "Parameters is not an object.")
        return
    for name, declared in parameters.items():
        where = f"Parameters.{name}"
        if not isinstance(declared, dict) or declared.get("Type") != "String":
            yield error(where, 'A parameter is declared as {"Type": "String"}, with or without a "Default".')
            continue
        if not isinstance(declared.get("Default", ""), str):
            yield error(where, "The Default of a parameter is a string.")
        if name in PARAMETERS:
            continue
        remedy = f"JITP fills {', '.join(PARAMETERS)}, and no other."
        if "Default" in declared:
            yield warning(where, f"JITP does not fill {name!r}: every device gets its Default.", remedy)
        else:
            yield error(where, f"JITP does not fill {name!r}, and it has no Default: no device is provisioned.", remedy)


def _check_references(body: Mapping[str, Any]) -> Iterator[Finding]:
    declared = body.get("Parameters", {})
    declared = declared if isinstance(declared, dict) else {}
    used = list(_references(body.get("Resources"), "Resources"))
    for name, where in used:
        if name not in declared:
            yield error(where, f"It refers to {name!r}, which Parameters does not declare.", "Declare it.")
        elif where.endswith(".ThingName"):
            yield from _check_name_source(where, name, declared[name])
    for name in sorted(declared.keys() - {name for name, _ in used}):
        yield warning(
            f"Parameters.{name}",
            "It is declared and not used; without a Default it only keeps devices out that lack it.",
            "Remove it.",
        )


def _check_name_source(where: str, name: str, declared: Any) -> Iterator[Finding]:
    if name not in _UNIQUE:
        yield warning(
            where,
            f"{name} is not each device's own: devices that share it would share one thing.",
            f"Take the name from one of {', '.join(_UNIQUE)}.",
        )
    elif isinstance(declared, dict) and "Default" in declared:
        yield warning(
            where, f"{name} has a Default: devices without it would all be that one thing.", "Remove the Default."
        )


def _references(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            yield value["Ref"], where
        for key, item in value.items():
            yield from _references(item, f"{where}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, where)


def _check_functions(value: Any, where: str = "Resources") -> Iterator[Finding]:
    if isinstance(value, list):
        for item in value:
            yield from _check_functions(item, where)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key.startswith("Fn::"):
            yield error(
                where,
                f"{key} is documented for fleet provisioning only; JITP may not know it.",
                "Use Ref alone: put the whole name in the certificate's common name.",
            )
        else:
            yield from _check_functions(item, f"{where}.{key}")


def _check_resources(resources: Any) -> Iterator[Finding]:
    if not isinstance(resources, dict) or not resources:
        yield error("Resources", "There are no Resources: nothing would be provisioned.")
        return
    kinds: Counter[str] = Counter()
    for name, resource in resources.items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if kind not in _KINDS:
            yield error(f"Resources.{name}", f"Its Type is {kind!r}; a template has {', '.join(_KINDS)}.")
            continue
        kinds[kind] += 1
        yield from check_resource(f"Resources.{name}", resource)
    yield from _check_counts(kinds)


def _check_counts(kinds: Mapping[str, int]) -> Iterator[Finding]:
    thing, certificate, policy = (kinds.get(kind, 0) for kind in _KINDS)
    if certificate != 1:
        yield error("Resources", f"There are {certificate} certificates; a template has one.")
    if thing > 1:
        yield error("Resources", f"There are {thing} things; a template has one.")
    if thing == 0:
        yield warning("Resources", "There is no thing, so that thing policy variables have no value.", "Add a thing.")
    if policy == 0:
        yield warning(
            "Resources",
            "There is no policy: unless a thing group brings one, the device is refused at every connect.",
            "Add a policy by its PolicyName.",
        )
