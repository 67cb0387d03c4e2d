"""
What a device is given besides its name, as tags of its twin; Microsoft's "Understand and use device twins".
"""

import re
from typing import Any

from firstlight.identity import Attributes

_MAX_KEY, _MAX_VALUE, _MAX_TAGS = 1024, 4096, 8192
# Control characters, spaces, what stands for something in a query or a path of a twin; halves of surrogate pairs,
# which JSON can spell and UTF-8 cannot.
_NOT_IN_KEYS = re.compile(r"[\x00-\x20\x7f-\x9f.$#\ud800-\udfff]")
_NOT_IN_VALUES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN = 70


def problem(attributes: Attributes) -> str:
    """
    Return why *attributes* cannot be tags, "" if they can.
    """
    keys = [key for key, _ in attributes]
    for key, value in attributes:
        if not key or _NOT_IN_KEYS.search(key):
            return f"{key[:_SHOWN]!r} cannot be the name of a tag, which is not empty and holds no space, no . $ or #"
        if keys.count(key) > 1:
            return f"the tag {key[:_SHOWN]!r} is given twice"
        if _NOT_IN_VALUES.search(value):
            return f"the value of the tag {key[:_SHOWN]!r} holds control characters"
        if _size(key) > _MAX_KEY or _size(value) > _MAX_VALUE:
            return f"the tag {key[:_SHOWN]!r} is too long: a name has up to {_MAX_KEY} bytes, a value {_MAX_VALUE}"
    size = sum(_size(key) + _size(value) for key, value in attributes)
    return f"its tags have {size} bytes, and a device has room for {_MAX_TAGS}" if size > _MAX_TAGS else ""


def lacking(twin: Any, attributes: Attributes) -> dict[str, str]:
    """
    Return those of *attributes* that the tags of *twin* do not name; the others are left as they are.
    """
    tags = twin.get("tags") if isinstance(twin, dict) else None
    there = tags if isinstance(tags, dict) else {}
    return {key: value for key, value in attributes if key not in there}


def _size(text: str) -> int:
    return len(text.encode())
