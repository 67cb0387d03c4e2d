"""
The function app for tests, loaded as the Functions worker does: by file, its functions asked for once.
"""

import importlib.util
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import azure.functions as func

from firstlight.deploy.bundle import CHECKOUT

FILE = CHECKOUT / "azure" / "function_app" / "function_app.py"


class App(NamedTuple):
    """
    The module, and the one function it has.
    """

    module: ModuleType
    function: Any

    @property
    def answer(self) -> Callable[[func.HttpRequest], Coroutine[Any, Any, func.HttpResponse]]:
        return self.function.get_user_function()  # type: ignore[no-any-return]


def load(file: Path = FILE) -> App:
    """
    Return the app of *file*, afresh: its event loop and settings are the test's.
    """
    spec = importlib.util.spec_from_file_location("function_app", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.pop("function_app", None)
    spec.loader.exec_module(module)
    (function,) = module.app.get_functions()
    return App(module, function)


def request(method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None) -> func.HttpRequest:
    """
    Return a request as the Functions host hands it over: a whole URL, header names in the caller's case.
    """
    return func.HttpRequest(method=method, url=f"https://app.azurewebsites.net{path}", headers=headers or {}, body=body)
