"""
The processes of a run: started, measured, ended.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.pool import AUDIENCE, TokenKey

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_URL = re.compile(r"http://[\w.:]+")
_STOPPING = 20.0


class Process:
    """
    A running server: the line it began with, its URL, and what it has used.

    Of a stub also the environment that leads its `clients` to it.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, line: str) -> None:
        self.url, self.line = url, line
        self.cloud = "aws"
        self.clients: Mapping[str, str] = {}
        self._stat = Path(f"/proc/{process.pid}/stat")

    def cpu(self) -> float:
        """
        CPU seconds since it began.
        """
        fields = self._fields()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def megabytes(self) -> float:
        """
        Resident memory.
        """
        return int(self._fields()[21]) * _PAGE / 2**20

    def _fields(self) -> list[str]:
        return self._stat.read_text().rpartition(")")[2].split()


@contextmanager
def stub_cloud() -> Iterator[Process]:
    """
    Run the stub of AWS IoT.
    """
    with _running([sys.executable, "-m", "benchmarks.stub_cloud"], dict(os.environ), Path(os.devnull)) as process:
        process.clients = {
            "AWS_ENDPOINT_URL_IOT": process.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        yield process


@contextmanager
def stub_hub() -> Iterator[Process]:
    """
    Run the stub of an IoT Hub; its clients are given tokens as a function app is.
    """
    with _running([sys.executable, "-m", "benchmarks.stub_hub"], dict(os.environ), Path(os.devnull)) as process:
        hub, ca_file = process.line.split()[1:]
        process.cloud = "azure"
        process.clients = {
            "FIRSTLIGHT_HUB": hub,
            "SSL_CERT_FILE": ca_file,
            "IDENTITY_ENDPOINT": f"{process.url}/token",
            "IDENTITY_HEADER": "bench",
        }
        yield process


@contextmanager
def ingest(stub: Process, key: TokenKey, log: Path, *, uvloop: bool = False) -> Iterator[Process]:
    """
    Run `firstlight ingest serve` in front of *stub*.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "FIRSTLIGHT_"))}
    env |= {"FIRSTLIGHT_AUDIENCE": AUDIENCE, "FIRSTLIGHT_TOKEN_KEY_FILE": str(key.public_file), **stub.clients}
    start = "from firstlight.cli import main; main()"
    if uvloop:
        start = f"import uvloop; uvloop.install(); {start}"
    command = [sys.executable, "-c", start, "ingest", "serve", "--cloud", stub.cloud, "--port", "0"]
    with _running(command, env, log) as process:
        yield process


@contextmanager
def _running(command: list[str], env: Mapping[str, str], log: Path) -> Iterator[Process]:
    with log.open("w") as stderr:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = _URL.search(line)
        if found is None:
            raise RuntimeError(f"{command[-1]} did not start: {log.read_text()}")
        yield Process(process, found[0], line)
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
