"""
A TOML table to a frozen region: every key known, every value of its kind, every file there.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from firstlight.errors import RegionsError
from firstlight.regions.aws import AwsRegion
from firstlight.regions.azure import AzureRegion

R = TypeVar("R", AwsRegion, AzureRegion)


def keys(kind: type[AwsRegion] | type[AzureRegion]) -> set[str]:
    """
    Return the keys that a table of *kind* may have.
    """
    return {f.name for f in fields(kind) if f.name != "name"}


def region(kind: type[R], name: str, given: Mapping[str, Any], path: Path, where: str) -> R:
    """
    Return the region that the table *given* describes; *where* is its place in the file *path*.

    Raises:
        RegionsError: a key is unknown, a value is of another kind, or the region has a problem.
    """
    only(given, keys(kind), path, where)
    kinds = {f.name: f.type for f in fields(kind)}
    made = kind(name=name, **{k: _value(kinds[k], v, path, f"{where}.{k}") for k, v in given.items()})
    for problem in made.problems():
        raise RegionsError(f"{path}: {where}: {problem}")
    for file in made.files:
        if not file.is_file():
            raise RegionsError(f"{path}: {where}: the file {file} does not exist.")
    return made


def only(table: Mapping[str, Any], known: set[str], path: Path, where: str) -> None:
    if unknown := sorted(set(table) - known):
        place = f"{where}: " if where else ""
        raise RegionsError(
            f"{path}: {place}unknown key {', '.join(map(repr, unknown))}.", hint=f"Known: {', '.join(sorted(known))}."
        )


def table(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RegionsError(f"{path}: {where} is not a table.")
    return value


def _value(kind: Any, value: Any, path: Path, where: str) -> Any:
    choices = list(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else []
    if choices and value in choices:
        return kind(value)
    if kind in (str, bool, int) and type(value) is kind:
        return value
    if kind == Path | None and isinstance(value, str):
        return _beside(path, value)
    if get_origin(kind) is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(_beside(path, v) for v in value) if get_args(kind)[0] is Path else tuple(value)
    wanted = f"one of {', '.join(choices)}" if choices else _WORDS.get(kind, "a list of strings")
    raise RegionsError(f"{path}: {where} is {value!r}; it must be {wanted}.")


_WORDS: dict[Any, str] = {str: "a string", bool: "true or false", int: "a whole number", Path | None: "a path"}


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).resolve()
