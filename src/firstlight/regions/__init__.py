"""
regions.toml to frozen regions: the only file that names one.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import RegionsError
from firstlight.regions import tables
from firstlight.regions.aws import AwsRegion, FirstConnect
from firstlight.regions.azure import AzureRegion
from firstlight.regions.tables import R

__all__ = ["AwsRegion", "AzureRegion", "FirstConnect", "Regions", "find", "load"]


@dataclass(frozen=True, slots=True)
class Regions:
    """
    The regions of both clouds, each in the file's order.
    """

    aws: tuple[AwsRegion, ...] = ()
    azure: tuple[AzureRegion, ...] = ()


def load(path: Path) -> Regions:
    """
    Return the regions of the file at *path*.

    A key in `[defaults]` holds for every region that knows it and does not set it itself.  Relative
    paths are relative to the file.

    Raises:
        RegionsError: the file cannot be read, or something in it is unknown, unusable or missing.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise RegionsError(
            f"{path} cannot be read: {e.strerror}.",
            hint="Go to the folder that has it, or name it with FIRSTLIGHT_REGIONS_FILE.",
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise RegionsError(f"{path} is not TOML: {e}.") from e
    tables.only(document, {"defaults", "aws", "azure"}, path, "")
    defaults = tables.table(document.get("defaults", {}), path, "defaults")
    tables.only(defaults, tables.keys(AwsRegion) | tables.keys(AzureRegion), path, "defaults")
    regions = Regions(
        aws=_regions(AwsRegion, "aws", document, defaults, path),
        azure=_regions(AzureRegion, "azure", document, defaults, path),
    )
    if not regions.aws and not regions.azure:
        raise RegionsError(f"{path} names no region.", hint="Add a table such as [aws.eu-west-1].")
    return regions


def find(regions: Sequence[R], name: str) -> R:
    """
    Return the region called *name*, or the first one if *name* is empty.

    Raises:
        RegionsError: there is none.
    """
    for region in regions:
        if name in ("", region.name):
            return region
    names = ", ".join(r.name for r in regions)
    if not name:
        raise RegionsError("The regions file has no region of this cloud.")
    raise RegionsError(f"No region is called {name!r}.", hint=f"There are: {names}." if names else "")


def _regions(
    kind: type[R], cloud: str, document: dict[str, Any], defaults: dict[str, Any], path: Path
) -> tuple[R, ...]:
    known = {k: v for k, v in defaults.items() if k in tables.keys(kind)}
    found = tables.table(document.get(cloud, {}), path, cloud)
    return tuple(
        tables.region(kind, name, {**known, **tables.table(given, path, f"{cloud}.{name}")}, path, f"{cloud}.{name}")
        for name, given in found.items()
    )
