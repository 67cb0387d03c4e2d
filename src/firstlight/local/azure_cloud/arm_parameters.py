"""
The parameters of an ARM template: what is given, or else the default, checked as declared.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from firstlight.local.azure_cloud.arm_expression import TemplateError

_TYPES: dict[str, type] = {
    "string": str,
    "securestring": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
    "secureobject": dict,
}


def parameter_values(
    declared: Mapping[str, Any], given: Mapping[str, Any], evaluate: Callable[[Any], Any]
) -> dict[str, Any]:
    """
    Return each declared parameter's value; *given* has those of a deployment, `{"value": …}` each.

    Raises:
        TemplateError: one is unknown, missing, or not what its declaration allows.
    """
    if unknown := set(given) - set(declared):
        raise TemplateError(f"The template has no parameters {', '.join(sorted(unknown))}.")
    values = {}
    for name, declaration in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in declaration:
            values[name] = evaluate(declaration["defaultValue"])
        else:
            raise TemplateError(f"The value for the template parameter {name!r} is not provided.")
        for problem in _problems(declaration, values[name]):
            raise TemplateError(f"The value of the template parameter {name!r} {problem}.")
    return values


def _problems(declaration: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = _TYPES[declaration["type"].lower()]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"is not of the type {declaration['type']}"
        return
    if (allowed := declaration.get("allowedValues")) and value not in allowed:
        yield f"is {value!r}, which is not one of {', '.join(map(str, allowed))}"
    if kind is int:
        if not declaration.get("minValue", value) <= value <= declaration.get("maxValue", value):
            yield f"is {value}, which is out of its range"
    elif isinstance(value, str | list):
        length = len(value)
        if not declaration.get("minLength", length) <= length <= declaration.get("maxLength", length):
            yield f"has a length of {length}, which is out of its range"
