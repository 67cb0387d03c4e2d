"""
The function's bundle: alike, complete, for its Python, and with nothing of another cloud in it.
"""

import json
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.deploy import azure_bundle, packages, tree
from firstlight.deploy.azure_bundle import FUNCTION_PYTHON, PACKAGES, Platform
from firstlight.deploy.bundle import CHECKOUT, TRUSTED_ISSUERS
from firstlight.deploy.manifest_bundle import SIGNERS
from firstlight.errors import DeploymentError
from tests.factory import Factory

_X86_64 = 62
_SHELL = CHECKOUT / azure_bundle.SHELL
_LOCK = (_SHELL / "requirements.txt").read_text("utf-8")
_PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)
_FOREIGN = {"boto3", "botocore", "click", "rich", "awscrt", "awsiot", "aws_cdk", "OpenSSL", "ministack", "lambdas"}
_RUN = """
import asyncio, json, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/" + sys.argv[2]]
import azure.functions as func
from function_app import app
(function,) = [f for f in app.get_functions() if f.get_function_name() == "interop"]
request = func.HttpRequest(method="GET", url="https://app.azurewebsites.net/" + sys.argv[3], headers={}, body=b"")
reply = asyncio.run(function.get_user_function()(request))
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"status": reply.status_code, "body": reply.get_body().decode(), "modules": files}))
"""
_ENVIRONMENT = {
    "FIRSTLIGHT_HUB": "hub.azure-devices.net",
    "FIRSTLIGHT_AUDIENCE": "00000000-0000-0000-0000-000000000001",
    "FIRSTLIGHT_TOKEN_KEY_URL": "https://example.com/key.pem",
}


@pytest.fixture(scope="session")
def function_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    azure_bundle.vendor(Platform.FUNCTION)
    return azure_bundle.assemble(Platform.FUNCTION, out=tmp_path_factory.mktemp("function") / "bundle")


@pytest.fixture(scope="session")
def host_function_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    azure_bundle.vendor(Platform.HOST)
    return azure_bundle.assemble(Platform.HOST, out=tmp_path_factory.mktemp("function-host") / "bundle")


@pytest.fixture
def function_checkout(tmp_path: Path) -> Path:
    """
    A checkout in another place, with a package of its own instead of the real ones.
    """
    there = tmp_path / "checkout"
    for name in (azure_bundle.SHELL, "src/firstlight"):
        shutil.copytree(CHECKOUT / name, there / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", there)
    package = azure_bundle.vendored(Platform.FUNCTION, checkout=there) / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    return there


def _run(bundle: Path, path: str = "") -> dict[str, Any]:
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", _RUN, str(bundle), PACKAGES, path]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_ENVIRONMENT)
    assert 0 == done.returncode, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_function_answers_from_its_bundle_alone(host_function_bundle: Path) -> None:
    """
    Under `python -I -S`; each module that was loaded is Python's own or lies in the bundle, none is of AWS.
    """
    ran = _run(host_function_bundle)
    own = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(host_function_bundle))

    assert (200, "OK") == (ran["status"], ran["body"])
    assert {} == {name: file for name, file in ran["modules"].items() if file and not file.startswith(own)}
    assert set() == _FOREIGN & {name.partition(".")[0] for name in ran["modules"]}


def test_a_stranger_is_refused(host_function_bundle: Path) -> None:
    """
    401 in the protocol's words, without Azure being asked.
    """
    ran = _run(host_function_bundle, "auth")

    assert (401, {"error": "Missing Authorization Header"}) == (ran["status"], json.loads(ran["body"]))


def test_it_is_laid_out_as_the_worker_wants_it(function_bundle: Path) -> None:
    """
    Entry point and host.json at the root, packages in their folder; no folder called azure beside them.
    """
    names = tree.files_of(function_bundle)

    assert [
        ".python_packages",
        "app_clients.py",
        "firstlight",
        "function_app.py",
        "host.json",
        "queue_worker.py",
        "upload_reader.py",
    ] == sorted({name.partition("/")[0] for name in names})
    assert f"{PACKAGES}/azure/functions/__init__.py" in names
    assert f"{PACKAGES}/azure/identity/__init__.py" in names


def test_only_what_the_function_imports_is_in_it(function_bundle: Path) -> None:
    """
    Nothing of AWS, no management, no command line; no bytecode, no pip leftovers.
    """
    names = list(tree.files_of(function_bundle))
    ours = {name.removeprefix("firstlight/") for name in names if name.startswith("firstlight/")}
    top = {name.removeprefix(f"{PACKAGES}/").partition("/")[0] for name in names if name.startswith(PACKAGES)}

    assert {"interop.py", "registries/azure_iot.py", "queues/azure_storage.py"} <= ours
    assert [] == [
        n
        for n in ours
        if re.match(
            r"(cli|local|verify|deploy|push|pki)/|(registries|queues)/(aws|sigv4|sqs|quotas|buckets)|azure_cl", n
        )
    ]
    assert set() == _FOREIGN & top
    assert [] == [n for n in names if "/azure/mgmt/" in n or n.endswith((".pyc", "/RECORD", "/direct_url.json"))]


def test_it_is_for_the_functions_python(function_bundle: Path) -> None:
    """
    Every compiled module is for 64-bit x86 Linux and the Python that the template names.
    """
    compiled = sorted(function_bundle.rglob("*.so"))
    tag = f"cpython-{FUNCTION_PYTHON.replace('.', '')}-x86_64"

    assert {_X86_64} == {struct.unpack_from("<H", file.read_bytes(), 18)[0] for file in compiled}
    assert [] == [file.name for file in compiled if tag not in file.name and "abi3" not in file.name]


def test_two_builds_are_equal(function_checkout: Path, tmp_path: Path) -> None:
    """
    Wherever the checkout stands: the same folder, the same zip, byte for byte.
    """
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(function_checkout, elsewhere, copy_function=shutil.copyfile)
    bundles = [
        azure_bundle.assemble(Platform.FUNCTION, out=place / "out", checkout=place)
        for place in (function_checkout, elsewhere)
    ]
    archives = [tree.archive(b, b.with_suffix(".zip")).read_bytes() for b in bundles]

    assert archives[0] == archives[1]


def test_trusted_issuers_and_signers_stand_beside_the_function(function_checkout: Path, tmp_path: Path) -> None:
    """
    Where the template's settings look for them.
    """
    issuer = Factory().ca
    pki.write_certificate(tmp_path / "ca.pem", issuer)
    out = azure_bundle.assemble(
        Platform.FUNCTION,
        out=tmp_path / "out",
        trusted_issuers=[tmp_path / "ca.pem"],
        signers=[tmp_path / "ca.pem"],
        checkout=function_checkout,
    )

    assert [issuer.pem] * 2 == [(out / name).read_text() for name in (TRUSTED_ISSUERS, SIGNERS)]


def test_without_packages_there_is_no_bundle(function_checkout: Path) -> None:
    """
    Laying out never fetches; the sentence says what does.
    """
    shutil.rmtree(function_checkout / "build")

    with pytest.raises(DeploymentError, match=r"Fetch them once: python -m firstlight\.deploy\.azure_bundle"):
        azure_bundle.assemble(Platform.FUNCTION, out=function_checkout / "out", checkout=function_checkout)


def test_the_lock_is_of_what_the_project_depends_on() -> None:
    """
    The dependencies of pyproject.toml, its `azure` extra, the reader of 7z archives, and azure-functions in two majors;
    everything hashed.
    """
    document = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    project, tools = document["project"], document["dependency-groups"]["dev"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["azure"]]
    wanted += [t for t in tools if t.startswith("azure-functions")]
    wanted += [t for t in project["optional-dependencies"]["operate"] if t.startswith("py7zr")]
    lines = (_SHELL / "requirements.in").read_text("utf-8").splitlines()
    blocks = re.split(r"\n(?=\S)", _LOCK.strip())

    assert sorted(wanted) == sorted(line for line in lines if line and not line.startswith(("#", "-c")))
    assert [] == [b.splitlines()[0] for b in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}", b)]
    assert [] == re.findall(r"https?://|--index-url|--extra-index-url|--find-links|--trusted-host|file:", _LOCK)


def test_what_both_clouds_carry_has_one_version() -> None:
    """
    The same aiohttp and cryptography behind either endpoint.
    """
    lambdas = dict(_PIN.findall((CHECKOUT / "lambdas" / "requirements.txt").read_text("utf-8")))
    function = dict(_PIN.findall(_LOCK))

    assert {n: v for n, v in lambdas.items() if n in function} == {n: v for n, v in function.items() if n in lambdas}


@pytest.mark.parametrize(("minor", "major"), [(11, "1"), (12, "1"), (13, "2")])
def test_azure_functions_has_the_major_that_fits_the_python(minor: int, major: str) -> None:
    """
    1 up to Python 3.12, 2 from 3.13; decided for the function's Python, not for the one that runs pip.
    """
    decided = packages.for_python(_LOCK, minor)

    assert [major] == re.findall(r"^azure-functions==(\d+)\.", decided, re.MULTILINE)
    assert "python_version" not in decided
