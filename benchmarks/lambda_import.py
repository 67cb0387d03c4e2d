"""
How long a Lambda takes to import and to answer first, and which packages that time goes to.

`python -m benchmarks.lambda_import` measures the bundle of this machine in a Python that has nothing
else (`-I -S`), with bytecode and without: a fresh Lambda has none, since a bundle carries none.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from firstlight.deploy import bundle
from firstlight.deploy.bundle import Platform

_RUNS = 7
_SHOWN = 12
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "FIRSTLIGHT_AUDIENCE": "123456789012",
    "FIRSTLIGHT_TOKEN_KEY_URL": "https://example.com/key.pem",
}
# What Lambda's own bootstrap has loaded before it imports a handler is not counted.
_RUN = """
import sys, time
import base64, json, logging, os, traceback, urllib.request
sys.path[:0] = [sys.argv[1]]
started = time.perf_counter()
from lambdas.interop import handler
imported = time.perf_counter()
class Context:
    function_name, aws_request_id = "f", "r"
    def get_remaining_time_in_millis(self):
        return 29_000
event = {"httpMethod": "GET", "path": "/auth", "headers": {}, "body": None, "isBase64Encoded": False}
assert handler(event, Context())["statusCode"] == 401
answered = time.perf_counter()
print(json.dumps([imported - started, answered - imported, len(sys.modules)]))
"""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def main() -> None:
    """
    Print the medians and the dearest packages.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = bundle.assemble(Platform.HOST, out=Path(scratch) / "bundle")
        print(f"{_RUNS} runs each, {sys.implementation.cache_tag} on {os.uname().machine}, milliseconds (median)")
        print(f"{'':32}{'import':>8}{'first answer':>14}{'modules':>9}")
        _report("no bytecode, as a fresh Lambda", [_run(folder, "-B") for _ in range(_RUNS)])
        _run(folder)
        _report("with bytecode", [_run(folder) for _ in range(_RUNS)])
        print("\nwhere the import goes, with bytecode, own time of each package:")
        spent, files = Counter(_spent(folder)), sum(1 for f in folder.rglob("*.py"))
        for package, microseconds in spent.most_common(_SHOWN):
            print(f"  {package:28}{microseconds / 1000:8.1f}")
        print(f"  {'all':28}{spent.total() / 1000:8.1f}   ({files} files in the bundle)")


def _report(label: str, runs: list[list[float]]) -> None:
    imported, answered, modules = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{label:32}{imported * 1000:8.0f}{answered * 1000:14.1f}{modules:9.0f}")


def _run(folder: Path, *options: str) -> list[float]:
    command = [sys.executable, "-I", "-S", *options, "-c", _RUN, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=_ENVIRONMENT)
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _spent(folder: Path) -> dict[str, int]:
    """
    Return the microseconds that modules of each top-level package took themselves, below the handler's import.
    """
    command = [sys.executable, "-I", "-S", "-X", "importtime", "-c", _RUN, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=_ENVIRONMENT)
    spent: Counter[str] = Counter()
    for microseconds, package in _below_handler(done.stderr):
        spent[package] += microseconds
    return spent


def _below_handler(report: str) -> Iterator[tuple[int, str]]:
    # A module's line follows those of what it imports, which are indented further: read back until one is not.
    lines = [match for match in map(_LINE.fullmatch, report.splitlines()) if match]
    (end,) = (i for i, match in enumerate(lines) if match[4] == "lambdas.interop")
    for match in reversed(lines[: end + 1]):
        if match[4] != "lambdas.interop" and not match[3]:
            return
        name = match[4].partition(".")[0]
        yield int(match[1]), "Python's own" if name in sys.stdlib_module_names else name


if __name__ == "__main__":
    main()
