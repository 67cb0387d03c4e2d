"""
Policy patterns: the wildcards * and ?, and policy variables, to regular expressions.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# ${*}, ${?} and ${$} stand for the character itself
_LITERAL = frozenset("*?$")
# "X.509 Certificate policy variable limitations", AWS IoT developer guide
_UNSAFE = frozenset("*$+?#")
_MAX_VALUE = 1024


class Context:
    """
    What policy variables and condition keys stand for, for one request.  Names are not case-sensitive.
    """

    def __init__(self, values: Mapping[str, str | tuple[str, ...]]) -> None:
        self._values = {name: (value,) if isinstance(value, str) else value for name, value in values.items()}
        self._folded = {name.lower(): value for name, value in self._values.items()}

    def get(self, name: str) -> tuple[str, ...] | None:
        """
        Return the values of *name*, or None when this request has none.
        """
        # attributes of a thing may differ in case only, so the exact name comes first
        found = self._values.get(name)
        return self._folded.get(name.lower()) if found is None else found

    def substitution(self, name: str) -> str | None:
        """
        Return what a pattern's ${*name*} becomes, or None when AWS IoT leaves it as it is.

        A value with a wildcard in it is never put into a pattern.
        """
        if name in _LITERAL:
            return name
        values = self.get(name)
        if not values or len(values[0]) > _MAX_VALUE or _UNSAFE & set(values[0]):
            return None
        return values[0]


def expression(pattern: str, context: Context) -> str | None:
    """
    Return *pattern* as a regular expression, or None when a variable in it has no value: it then meets nothing.
    """
    written = []
    at = 0
    for variable in _VARIABLE.finditer(pattern):
        value = context.substitution(variable[1])
        if value is None:
            return None
        written += [_wild(pattern[at : variable.start()]), re.escape(value)]
        at = variable.end()
    return "".join([*written, _wild(pattern[at:])])


def substituted(text: str, context: Context) -> str | None:
    """
    Return *text* with its variables replaced and its wildcards literal, or None when one has no value.
    """
    missing = False

    def value(variable: re.Match[str]) -> str:
        nonlocal missing
        found = context.substitution(variable[1])
        missing = missing or found is None
        return found or ""

    result = _VARIABLE.sub(value, text)
    return None if missing else result


@lru_cache(maxsize=4096)
def compiled(source: str) -> re.Pattern[str]:
    """
    Return the compiled expression; many clients have the same policy.
    """
    return re.compile(source, re.DOTALL)


def meets(text: str, pattern: str, context: Context) -> bool:
    """
    Whether *text* as a whole meets *pattern*.
    """
    source = expression(pattern, context)
    return source is not None and compiled(source).fullmatch(text) is not None


def _wild(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
