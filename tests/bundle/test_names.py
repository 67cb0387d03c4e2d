"""
`azure` is a namespace that every SDK wheel shares; each import is tried in a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("azure.functions", "FunctionApp"),
        ("azure.identity", "DefaultAzureCredential"),
        ("azure.iot.device", "IoTHubDeviceClient"),
    ],
)
def test_the_sdks_import_with_the_checkout_first_on_the_path(module: str, name: str) -> None:
    """
    As `python -m …` in the checkout has it.
    """
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module} as m; print(m.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)

    assert name == done.stdout.strip()
