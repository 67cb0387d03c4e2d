"""
What `firstlight doctor` was given besides the device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """
    The options of both clouds; an empty string, or None, is one that was not given.
    """

    cert: Path
    key: Path | None
    region: str
    endpoint: str
    port: int
    ca_file: Path | None
    regions_file: Path
    id_scope: str
    proxy: str
    subscription: str
    timeout: float
    watch: Callable[[str], None]
