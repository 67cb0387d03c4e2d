"""
The bundle of the function that reads uploaded manifests: every Lambda's, and a reader of 7z archives.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.deploy import manifest_bundle
from firstlight.deploy.bundle import Platform
from firstlight.errors import DeploymentError
from tests.factory import Factory

_PACKAGES = {"py7zr", "brotli.py", "inflate64", "pyppmd", "bcj", "Cryptodome", "backports", "texttable.py", "psutil"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest_bundle.vendor(Platform.LAMBDA)
    signer = tmp_path_factory.mktemp("signers") / "signer.pem"
    signer.write_text(Factory().ca.pem)
    return manifest_bundle.assemble(
        Platform.LAMBDA, out=tmp_path_factory.mktemp("manifests") / "bundle", signers=[signer]
    )


def test_the_reader_of_archives_is_the_platforms(built: Path, lambda_bundle: Path) -> None:
    """
    It is in this function's bundle, for its processor, and in no other's.
    """
    names = {path.name for path in built.iterdir()}
    libraries = {path.name for path in built.rglob("*.so")}

    assert names >= _PACKAGES
    assert not _PACKAGES & {path.name for path in lambda_bundle.iterdir()}
    assert any("aarch64" in name for name in libraries)
    assert not any("x86_64" in name for name in libraries)


def test_the_signers_go_along(built: Path) -> None:
    """
    Beside the handlers, as one file.
    """
    assert Factory().ca.pem.count("BEGIN") == (built / manifest_bundle.SIGNERS).read_text().count("BEGIN CERTIFICATE")


def test_it_is_not_near_what_lambda_takes(built: Path) -> None:
    """
    250 MB unpacked.
    """
    assert sum(path.stat().st_size for path in built.rglob("*") if path.is_file()) < 60_000_000


def test_without_the_packages_the_way_to_them_is_said(checkout: Path, tmp_path: Path) -> None:
    """
    Only a region that wants uploads has to fetch them.
    """
    with pytest.raises(DeploymentError, match=r"Fetch them once: python -m firstlight\.deploy\.manifest_bundle"):
        manifest_bundle.assemble(Platform.LAMBDA, out=tmp_path / "out", checkout=checkout)


def test_a_handler_of_it_reads_no_archive_before_it_has_to() -> None:
    """
    7z takes a tenth of a second to import, which a CSV need not wait for.
    """
    code = "import sys, lambdas.manifest; print('py7zr' in sys.modules)"
    root = Path(__file__).parents[2]

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)

    assert "False" == found.stdout.strip()
