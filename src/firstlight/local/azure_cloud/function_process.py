"""
Starts and stops the function app of the laptop's Azure, in a process of its own.
"""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from firstlight.local.ready_child import ReadyChild


class FunctionProcess(ReadyChild):
    """
    A context manager: the code in the folder *app*, with *environment*, behind the port `port` of 127.0.0.1.

    What it says is in `function.log` of *folder*.
    """

    def __init__(self, folder: Path, app: Path, environment: Mapping[str, str]) -> None:
        super().__init__(
            "The function app",
            "firstlight.local.azure_cloud.function_host",
            [str(folder), str(app)],
            folder=folder,
            port=0,
            option="",
            log="function.log",
            environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **environment},
        )


def can_host(app: Path) -> bool:
    """
    Return whether there is such an app, and the library that its code is written for.
    """
    return (app / "function_app.py").is_file() and importlib.util.find_spec("azure.functions") is not None
