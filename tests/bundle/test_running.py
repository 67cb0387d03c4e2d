"""
A bundle runs by itself: in a Python that has nothing else, on the machine it is for.
"""

import json
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

_AARCH64 = 183
# What a handler must not pay for, or must not have.
_FOREIGN = {
    "boto3",
    "botocore",
    "click",
    "rich",
    "azure",
    "OpenSSL",
    "awscrt",
    "awsiot",
    "ministack",
    "aws_cdk",
    "jsii",
}
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "FIRSTLIGHT_AUDIENCE": "123456789012",
    "FIRSTLIGHT_TOKEN_KEY_URL": "https://example.com/key.pem",
}
_RUN = """
import json, sys
sys.path[:0] = [sys.argv[1]]
from lambdas.interop import handler
class Context:
    function_name, aws_request_id = "f", "r"
    def get_remaining_time_in_millis(self):
        return 29_000
event = {"httpMethod": sys.argv[2], "path": sys.argv[3], "headers": {}, "body": None, "isBase64Encoded": False}
reply = handler(event, Context())
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"reply": reply, "modules": files, "path": sys.path}))
"""


@pytest.fixture(scope="session")
def ran(host_bundle: Path) -> dict[str, Any]:
    return _run(host_bundle, "GET", "/")


def test_the_handler_answers(ran: dict[str, Any], host_bundle: Path) -> None:
    """
    Under `python -I -S`: its first answer needs nothing but the bundle.
    """
    refused = _run(host_bundle, "GET", "/auth")["reply"]

    assert (200, "OK") == (ran["reply"]["statusCode"], ran["reply"]["body"])
    assert (401, {"error": "Missing Authorization Header"}) == (refused["statusCode"], json.loads(refused["body"]))


def test_everything_comes_from_the_bundle(ran: dict[str, Any], host_bundle: Path) -> None:
    """
    Each module that was loaded is Python's own or lies in the bundle.
    """
    own = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    foreign = {
        name: file for name, file in ran["modules"].items() if file and not file.startswith((str(host_bundle), *own))
    }

    assert {} == foreign
    assert not [p for p in ran["path"] if "site-packages" in p]


def test_nothing_is_loaded_that_it_does_not_use(ran: dict[str, Any], host_bundle: Path) -> None:
    """
    No SDK and no command line, neither loaded nor there.
    """
    assert set() == _FOREIGN & {name.partition(".")[0] for name in ran["modules"]}
    assert [] == [name for name in _FOREIGN if (host_bundle / name).exists()]


def test_the_lambda_bundle_is_for_lambda(lambda_bundle: Path) -> None:
    """
    Every compiled module is for Linux on 64-bit ARM, and for Python 3.13.
    """
    compiled = sorted(lambda_bundle.rglob("*.so"))
    machines = {struct.unpack_from("<H", file.read_bytes(), 18)[0] for file in compiled}

    assert {_AARCH64} == machines
    assert [] == [file.name for file in compiled if "cpython-313-aarch64" not in file.name and "abi3" not in file.name]
    assert {"_rust.abi3.so"} < {file.name for file in compiled}


def test_both_bundles_have_the_same_code(lambda_bundle: Path, host_bundle: Path) -> None:
    """
    What runs on the laptop is what runs in the cloud, compiled modules aside.
    """
    ours = [
        {str(f.relative_to(b)): f.read_bytes() for part in ("firstlight", "lambdas") for f in (b / part).rglob("*.py")}
        for b in (lambda_bundle, host_bundle)
    ]
    packages = [{p.name for p in b.iterdir() if p.name.endswith(".dist-info")} for b in (lambda_bundle, host_bundle)]

    assert ours[0] == ours[1]
    assert packages[0] == packages[1]


def _run(bundle: Path, method: str, path: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", _RUN, str(bundle), method, path],
        check=False,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
    )
    assert "" == done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
