"""
The CDK app: `python -m cdk.app` in the checkout, which is what cdk.json says.

Reads the environment, so that nothing else here has to.  No AWS call, no credentials, no network.
"""

import hashlib
import os
import sys
from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from cdk import node
from firstlight import regions
from firstlight.deploy import bundle, manifest_bundle
from firstlight.deploy.bundle import Platform
from firstlight.errors import DeploymentError, FirstlightError
from firstlight.regions import AwsRegion


def main(environ: MutableMapping[str, str]) -> int:
    """
    Synthesize what *environ* asks for and return the exit code.

    `FIRSTLIGHT_REGIONS_FILE` or the context `regions_file` names the regions file, else ./regions.toml;
    `CDK_OUTDIR`, which the CDK CLI sets, the folder to write to, else ./cdk.out.
    """
    try:
        _synthesize(environ)
    except FirstlightError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    return 0


def _synthesize(environ: MutableMapping[str, str]) -> None:
    node.use(environ)
    assembly = _assembly()
    app = assembly.app(Path(environ.get("CDK_OUTDIR") or "cdk.out").resolve())
    file = environ.get("FIRSTLIGHT_REGIONS_FILE") or app.node.try_get_context("regions_file") or "regions.toml"
    assembly.add_stacks(
        app, regions.load(Path(file)).aws, bundle=_bundle, manifest_bundle=_manifest_bundle, now=datetime.now(UTC)
    )
    app.synth()


def _assembly() -> ModuleType:
    try:
        from cdk import assembly  # noqa: PLC0415 -- starts Node.js, which had to be chosen first
    except ImportError as e:
        raise DeploymentError(f"The CDK is not installed: {e}.", hint="pip install 'firstlight[cdk]'") from e
    except Exception as e:
        # What stops Node.js or jsii can be anything, a folder that cannot be written or an answer cut short.
        said = next(iter(str(e).splitlines()), "") or type(e).__name__
        raise DeploymentError(f"CDK cannot be started: {said.rstrip('.')}.") from e
    return assembly


def _bundle(trusted_issuers: Sequence[Path]) -> Path:
    """
    Lay the code out afresh: what is deployed is what is in the checkout.  Regions that trust the same share it.
    """
    out = bundle.CHECKOUT / "build" / (Platform.LAMBDA.value + _tag(trusted_issuers))
    return bundle.assemble(Platform.LAMBDA, out=out, trusted_issuers=trusted_issuers)


def _manifest_bundle(region: AwsRegion) -> Path:
    """
    As `_bundle`, for the function that reads uploaded manifests.
    """
    files = (*region.trusted_issuers, *region.manifest_signers)
    out = bundle.CHECKOUT / "build" / (f"{Platform.LAMBDA}-manifests" + _tag(files))
    return manifest_bundle.assemble(
        Platform.LAMBDA, out=out, trusted_issuers=region.trusted_issuers, signers=region.manifest_signers
    )


def _tag(files: Sequence[Path]) -> str:
    content = b"".join(path.read_bytes() for path in files)
    return f"-{hashlib.sha256(content).hexdigest()[:12]}" if files else ""


if __name__ == "__main__":
    sys.exit(main(os.environ))
