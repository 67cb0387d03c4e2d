"""
What a Lambda carries is locked: by version, by hash, and to what the checkout is tested with.
"""

import re
import tomllib

import pytest

from firstlight.deploy.bundle import CHECKOUT

_LOCK = (CHECKOUT / "lambdas" / "requirements.txt").read_text("utf-8")
_ARCHIVES = (CHECKOUT / "lambdas" / "archives" / "requirements.txt").read_text("utf-8")
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def test_it_is_what_the_project_depends_on() -> None:
    """
    The dependencies of pyproject.toml and of its `aws` extra, no other.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (CHECKOUT / "lambdas" / "requirements.in").read_text("utf-8").splitlines()

    assert sorted(project["dependencies"] + project["optional-dependencies"]["aws"]) == sorted(
        line for line in lines if line and not line.startswith(("#", "-c"))
    )


@pytest.mark.parametrize("lock", [_LOCK, _ARCHIVES], ids=["every function's", "the reader of archives"])
def test_everything_is_hashed(lock: str) -> None:
    """
    Pip installs with --require-hashes; and no address of an index is in the file.
    """
    blocks = [block for block in re.split(r"\n(?=\S)", lock.strip()) if not block.startswith("#")]

    assert [] == [block.splitlines()[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}", block)]
    assert [] == re.findall(r"https?://|--index-url|--extra-index-url|--find-links|--trusted-host|file:", lock)


@pytest.mark.parametrize("lock", [_LOCK, _ARCHIVES], ids=["every function's", "the reader of archives"])
def test_it_pins_what_the_tests_run_with(lock: str) -> None:
    """
    No package has another version in the Lambda than in the checkout.
    """
    tested = dict(_PIN.findall((CHECKOUT / "requirements.txt").read_text("utf-8")))

    assert dict(_PIN.findall(lock)).items() <= tested.items()
