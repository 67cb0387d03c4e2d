"""
Which of our own modules a Lambda carries: those its handlers import, and no other.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from firstlight.errors import DeploymentError

_PACKAGE = "firstlight"


def of(handlers: Path, source: Path) -> dict[str, Path]:
    """
    Return what to copy, by its place in the bundle: the handlers and every module of ours they lead to.

    *handlers* is the folder of the entry points, *source* the one that holds the package.  Imports are read,
    not run, those inside functions too; so the command line, the laptop clouds and their like never ship,
    and a change there changes no bundle.

    Raises:
        DeploymentError: there is no handler.
    """
    entry_points = sorted(handlers.glob("*.py"))
    if not entry_points:
        raise DeploymentError(f"{handlers} holds no handler.", hint="Bundles are built from a checkout.")
    files = {f"{handlers.name}/{path.name}": path for path in entry_points}
    waiting = list(entry_points)
    while waiting:
        for path in _imported(waiting.pop(), source):
            name = path.relative_to(source).as_posix()
            if name not in files:
                files[name] = path
                waiting.append(path)
    return dict(sorted(files.items()))


def _imported(path: Path, source: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case _:
                continue
        for module in modules:
            yield from _files(module, source)


def _files(module: str, source: Path) -> Iterator[Path]:
    parts = module.split(".")
    if parts[0] != _PACKAGE:
        return
    for depth in range(1, len(parts) + 1):
        place = source.joinpath(*parts[:depth])
        for candidate in (place / "__init__.py", place.with_suffix(".py")):
            if candidate.is_file():
                yield candidate
