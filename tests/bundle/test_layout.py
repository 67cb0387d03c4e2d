"""
How a bundle is laid out: fresh, alike, and with nothing in it that a handler does not need.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.deploy import bundle, handler_source, tree
from firstlight.deploy.bundle import Platform
from firstlight.errors import CertificateError, DeploymentError
from tests.factory import Factory

_UNRESOLVABLE = "firstlight-has-no-such-dependency==1 --hash=sha256:" + 64 * "0" + "\n"


def test_two_builds_are_equal(checkout: Path, tmp_path: Path) -> None:
    """
    Wherever the checkout stands and whenever its files were written: the same folder, the same zip, byte for byte.
    """
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(checkout, elsewhere, copy_function=shutil.copyfile)
    bundles = [bundle.assemble(Platform.LAMBDA, out=place / "out", checkout=place) for place in (checkout, elsewhere)]
    archives = [tree.archive(b, b.with_suffix(".zip")).read_bytes() for b in bundles]

    assert tree.digest(bundles[0]) == tree.digest(bundles[1])
    assert archives[0] == archives[1]


def test_a4_code_cannot_be_stale(checkout: Path) -> None:
    """
    What is changed in the checkout is changed in the next bundle, and what is gone is gone.
    """
    first = bundle.assemble(Platform.LAMBDA, out=checkout / "out", checkout=checkout)
    (first / "left_over.py").write_text("")
    (checkout / "src/firstlight/errors.py").write_text("CHANGED = True\n")
    again = bundle.assemble(Platform.LAMBDA, out=checkout / "out", checkout=checkout)

    assert "CHANGED = True\n" == (again / "firstlight/errors.py").read_text()
    assert not (again / "left_over.py").exists()


def test_an_equal_bundle_is_left_alone(checkout: Path) -> None:
    """
    Whoever reads it meanwhile is not disturbed.
    """
    before, after = (
        bundle.assemble(Platform.LAMBDA, out=checkout / "out", checkout=checkout).stat().st_ino for _ in range(2)
    )

    assert before == after


def test_only_what_handlers_import_is_in_it(lambda_bundle: Path) -> None:
    """
    No command line, no laptop cloud, no device, no deployment; no bytecode, no pip leftovers, no stubs.
    """
    names = tree.files_of(lambda_bundle)
    ours = {name.split("/")[1].removesuffix(".py") for name in names if name.startswith("firstlight/")}
    needless = (".pyc", ".pyi", ".pyx", ".h", "/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")

    assert {"interop", "provision", "registries", "settings"} < ours
    assert set() == ours & {"cli", "local", "verify", "deploy", "push", "ingest", "pki", "boto", "regions", "demo"}
    assert "lambdas/interop.py" in names
    assert [] == [name for name in names if name.endswith(needless) or name.startswith("bin/")]


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    """
    At the top, inside a function, of a module or of a name in a package; nothing else comes along.
    """
    for name, text in {
        "lambdas/handler.py": "import json\nfrom firstlight.a import x\ndef f():\n    import firstlight.sub.b\n",
        "src/firstlight/__init__.py": "",
        "src/firstlight/a.py": "from firstlight import c\nfrom cryptography import x509\n",
        "src/firstlight/c.py": "import firstlight.a\n",
        "src/firstlight/sub/__init__.py": "",
        "src/firstlight/sub/b.py": "",
        "src/firstlight/sub/unused.py": "",
        "src/firstlight/unused.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert [
        "firstlight/__init__.py",
        "firstlight/a.py",
        "firstlight/c.py",
        "firstlight/sub/__init__.py",
        "firstlight/sub/b.py",
        "lambdas/handler.py",
    ] == list(handler_source.of(tmp_path / "lambdas", tmp_path / "src"))


def test_trusted_issuers_stand_beside_the_handler(checkout: Path, tmp_path: Path) -> None:
    """
    All of them in one file, in the order given, whatever form they came in.
    """
    issuers = [Factory(f"CA {n}").ca for n in (1, 2)]
    (tmp_path / "1.der").write_bytes(issuers[0].der)
    pki.write_certificate(tmp_path / "2.pem", issuers[1])
    files = [tmp_path / "1.der", tmp_path / "2.pem"]
    out = bundle.assemble(Platform.LAMBDA, out=tmp_path / "out", trusted_issuers=files, checkout=checkout)

    assert "".join(i.pem for i in issuers) == (out / bundle.TRUSTED_ISSUERS).read_text()


def test_a_trusted_issuer_that_is_none_is_refused(checkout: Path, tmp_path: Path) -> None:
    """
    One sentence names the file; no bundle is made.
    """
    (tmp_path / "issuer.pem").write_text("not a certificate\n")

    with pytest.raises(CertificateError, match=r"issuer\.pem: Cannot decode certificate"):
        bundle.assemble(
            Platform.LAMBDA, out=tmp_path / "out", trusted_issuers=[tmp_path / "issuer.pem"], checkout=checkout
        )
    assert not (tmp_path / "out").exists()


def test_without_packages_there_is_no_bundle(checkout: Path) -> None:
    """
    Laying out never fetches; the sentence says what does.
    """
    shutil.rmtree(checkout / "build")

    with pytest.raises(DeploymentError, match=r"Fetch them once: python -m firstlight\.deploy\.bundle"):
        bundle.assemble(Platform.LAMBDA, out=checkout / "out", checkout=checkout)


def test_another_lock_is_another_set_of_packages(checkout: Path) -> None:
    """
    Packages of an older lock are never taken for those of this one, nor this interpreter's for the Lambda's.
    """
    before = bundle.vendored(Platform.LAMBDA, checkout=checkout)
    (checkout / "lambdas/requirements.txt").write_text(_UNRESOLVABLE)

    assert before != bundle.vendored(Platform.LAMBDA, checkout=checkout)
    assert bundle.vendored(Platform.HOST, checkout=checkout).name.startswith(f"host-{sys.implementation.cache_tag}-")


def test_packages_that_cannot_be_fetched_leave_nothing_behind(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Pip's reason in one sentence, and no half-filled folder that the next bundle would take for whole.
    """
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (checkout / "lambdas/requirements.txt").write_text(_UNRESOLVABLE)
    before = tree.files_of(checkout / "build")

    with pytest.raises(DeploymentError, match="for lambda: No matching distribution found for firstlight-has-no"):
        bundle.vendor(Platform.LAMBDA, checkout=checkout)
    assert before == tree.files_of(checkout / "build")


def test_bundles_are_built_in_a_checkout_only(tmp_path: Path) -> None:
    """
    An installed wheel has no handlers and no lock.
    """
    with pytest.raises(DeploymentError, match="Bundles are built from a checkout"):
        bundle.assemble(Platform.LAMBDA, out=tmp_path / "out", checkout=tmp_path)


def test_the_command_knows_its_platforms() -> None:
    """
    Another one is a question asked wrongly.
    """
    done = subprocess.run(
        [sys.executable, "-m", "firstlight.deploy.bundle", "azure"], check=False, capture_output=True, text=True
    )

    assert (2, "", "'azure' is not a valid Platform: there are lambda, host.\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
