"""
What a handler loads, in a process of its own: every import is paid at every cold start.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION = str(ROOT / "azure" / "function_app" / "function_app.py")

_FOREIGN = ("boto3", "botocore", "click", "rich", "aiohttp.web", "awscrt", "firstlight.boto", "firstlight.pki")


@pytest.mark.parametrize("handler", ["interop", "worker", "manifest", "admission", "stuck"])
def test_nothing_is_loaded_that_the_handler_does_not_use(handler: str) -> None:
    """
    Every import is paid at every cold start.
    """
    code = f"import sys, lambdas.{handler}; print([name for name in {_FOREIGN} if name in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "[]" == found.stdout.strip()


def test_nothing_is_loaded_that_the_function_does_not_use() -> None:
    """
    Nothing of AWS, no command line, no management: every import is paid at every cold start.
    """
    foreign = ("boto3", "botocore", "click", "rich", "awscrt", "azure.mgmt", "firstlight.pki", "firstlight.boto")
    code = (
        # its own modules stand beside it, as in the app's folder
        f"import runpy, sys; sys.path.insert(0, {str(Path(FUNCTION).parent)!r}); runpy.run_path({FUNCTION!r}); "
        f"print([n for n in {foreign} if n in sys.modules], [n for n in sys.modules if 'registries.aws' in n])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "[] []" == found.stdout.strip()
