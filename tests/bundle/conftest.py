"""
The bundles of both platforms, laid out once a session from packages that `make` fetched.
"""

import shutil
from pathlib import Path

import pytest

from firstlight.deploy import bundle
from firstlight.deploy.bundle import Platform


@pytest.fixture(scope="session")
def host_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle.vendor(Platform.HOST)
    return bundle.assemble(Platform.HOST, out=tmp_path_factory.mktemp("host") / "bundle")


@pytest.fixture(scope="session")
def lambda_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle.vendor(Platform.LAMBDA)
    return bundle.assemble(Platform.LAMBDA, out=tmp_path_factory.mktemp("lambda") / "bundle")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """
    A checkout in another place, with a package of its own instead of the real ones.
    """
    there = tmp_path / "checkout"
    for name in ("lambdas", "src/firstlight"):
        shutil.copytree(bundle.CHECKOUT / name, there / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(bundle.CHECKOUT / "pyproject.toml", there)
    packages = bundle.vendored(Platform.LAMBDA, checkout=there)
    for name in ("package/__init__.py", "package/__init__.pyi", "package-1.dist-info/RECORD", "bin/tool"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("x = 1\n")
    return there
