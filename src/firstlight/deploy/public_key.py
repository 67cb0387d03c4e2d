"""
The token key that goes into a function's environment.
"""

from pathlib import Path

from firstlight import token_keys
from firstlight.errors import RegionsError, SettingsError


def read(path: Path | None) -> str:
    """
    Return the public key in *path* as PEM text, or "" without a path.

    The key itself goes into the environment: it is public, and a bundle per key would be needed otherwise.

    Raises:
        RegionsError: the file holds no public key.
    """
    if path is None:
        return ""
    try:
        token_keys.from_file(path)
    except SettingsError as e:
        raise RegionsError(f"{path}: {e.message}", hint=e.hint) from e
    return path.read_text("ascii").strip()
