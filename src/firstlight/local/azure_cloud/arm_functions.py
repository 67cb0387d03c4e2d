"""
The functions of ARM templates that need nothing but their arguments.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid5

from firstlight.local.azure_cloud.arm_expression import TemplateError

# The namespace that guid() hashes in.
_GUIDS = UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_UNIQUE = 13  # characters


def resource_path(resource_type: str, names: Sequence[str]) -> str:
    """
    Return `providers/…` of a resource: the parts of its type paired with *names*.

    Raises:
        TemplateError: there are more or fewer names than types.
    """
    namespace, *types = resource_type.split("/")
    if len(types) != len(names):
        raise TemplateError(f"Type {resource_type!r} wants {len(types)} names, not {len(names)}.")
    pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
    return f"providers/{namespace}/{pairs}"


def _concat(*parts: Any) -> Any:
    if parts and isinstance(parts[0], list):
        return [item for part in parts for item in part]
    return "".join(_text(part) for part in parts)


def _union(*parts: Any) -> Any:
    if isinstance(parts[0], dict):
        whole: dict[str, Any] = {}
        for part in parts:
            whole |= part
        return whole
    return list(dict.fromkeys(item for part in parts for item in part))


def _unique_string(*parts: str) -> str:
    # Azure's hash is not published; the promise is 13 characters that depend on the arguments only.
    digest = hashlib.sha256("-".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_UNIQUE]


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda found: _text(values[int(found[1])]), pattern)


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, dict):
        return str(item).lower() in {name.lower() for name in container}
    return item in container


def _equals(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _create_object(*pairs: Any) -> dict[str, Any]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def _extension_resource_id(base: str, resource_type: str, *names: str) -> str:
    return f"{base}/{resource_path(resource_type, names)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# By name in lower case: template functions have no case.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: all(values),
    "bool": lambda value: str(value).lower() in {"true", "1"},
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *values: list(values),
    "createobject": _create_object,
    "empty": lambda value: not value,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": _equals,
    "extensionresourceid": _extension_resource_id,
    "false": lambda: False,
    "first": lambda values: values[0] if values else "",
    "format": _format,
    "guid": lambda *parts: str(uuid5(_GUIDS, "-".join(parts))),
    "int": int,
    "json": json.loads,
    "last": lambda values: values[-1] if values else "",
    "length": len,
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, by: text.split(by),
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": _text,
    "substring": lambda text, start, length: text[start : start + length],
    "take": lambda values, count: values[:count],
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "true": lambda: True,
    "union": _union,
    "uniquestring": _unique_string,
}
