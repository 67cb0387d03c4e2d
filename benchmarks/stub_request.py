"""
One call to the stub of AWS IoT, parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """
    `segments` are of the path, decoded.
    """

    segments: list[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """
        What most paths name in their second segment.
        """
        return self.segments[1]
