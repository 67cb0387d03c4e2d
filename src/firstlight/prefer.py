"""
What a caller would rather have: the header `Prefer` (RFC 7240).
"""

import re

RESPOND_ASYNC = "respond-async"
# Up to a comma that is in no quoted string; one that never ends takes the rest.
_ITEM = re.compile(r'(?:[^,"]+|"(?:[^"\\]+|\\.|\\$)*(?:"|$))+')


def wants(preference: str, header: str) -> bool:
    """
    Return whether *header*, a list as RFC 7240 section 2 has it, states *preference*, which takes no value.

    Names are compared without regard to case; parameters are not looked at; an empty value is none.
    """
    return any(_stated(item) == (preference, "") for item in _ITEM.findall(header))


def _stated(item: str) -> tuple[str, str]:
    name, _, value = item.partition(";")[0].partition("=")
    return name.strip().lower(), value.strip().strip('"')
