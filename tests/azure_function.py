"""
The function app for tests, loaded as the Functions worker does: by file, its functions asked for once.
"""

import importlib.util
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import azure.functions as func

from firstlight.deploy.bundle import CHECKOUT

FILE = CHECKOUT / "azure" / "function_app" / "function_app.py"


class App(NamedTuple):
    """
    The module of the HTTP trigger, and the app's functions by name.
    """

    module: ModuleType
    functions: dict[str, Any]

    @property
    def answer(self) -> Callable[[func.HttpRequest], Coroutine[Any, Any, func.HttpResponse]]:
        return self.functions["interop"].get_user_function()  # type: ignore[no-any-return]

    @property
    def work(self) -> Callable[[func.QueueMessage], Coroutine[Any, Any, None]]:
        return self.functions["worker"].get_user_function()  # type: ignore[no-any-return]


def load(file: Path = FILE) -> App:
    """
    Return the app of *file*, afresh: its event loop and settings are the test's.
    """
    spec = importlib.util.spec_from_file_location("function_app", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for beside in file.parent.glob("*.py"):
        sys.modules.pop(beside.stem, None)
    with on_path(file.parent):
        spec.loader.exec_module(module)
    return App(module, {f.get_function_name(): f for f in module.app.get_functions()})


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """
    Let modules of *folder* be imported, as the worker does for an app's.
    """
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def request(method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None) -> func.HttpRequest:
    """
    Return a request as the Functions host hands it over: a whole URL, header names in the caller's case.
    """
    return func.HttpRequest(method=method, url=f"https://app.azurewebsites.net{path}", headers=headers or {}, body=body)
