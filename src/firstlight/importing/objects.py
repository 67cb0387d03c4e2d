"""
Where manifests are uploaded to, and their reports written: the little an upload needs of a cloud's object store.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Object:
    """
    One object; its key is as people write it, not encoded.
    """

    bucket: str
    key: str


class Objects(Protocol):
    """
    An object store.
    """

    async def download(self, of: Object, path: Path, *, limit: int) -> None:
        """
        Write the object to *path*.

        Raises:
            ManifestError: it is larger than *limit* bytes, or is not there.
            RegistryError: the store refuses it, or fails again and again.
        """

    async def upload(self, of: Object, path: Path) -> None:
        """
        Write the file at *path* to the object, as CSV.

        Raises:
            RegistryError: the store refuses it, or fails again and again.
        """
