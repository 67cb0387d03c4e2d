"""
Synthesizes the stacks of a checkout for the laptop, once per content of everything they are made from.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from firstlight import regions
from firstlight.errors import DeploymentError, UsageError
from firstlight.regions import AwsRegion

# What the stacks are made from, the regions file and what it names aside.
_SOURCES = ("cdk", "lambdas", "src/firstlight", "cdk.json", "pyproject.toml", "requirements.txt")
# Programs, caches and temporary files; a synth asks neither AWS nor the rest of the environment.
_KEPT = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LANG", "SSL_CERT_FILE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT")
_LONGEST = 120.0  # seconds; the first one unpacks the CDK, which takes some


def synthesize(checkout: Path, regions_file: Path, cache: Path) -> Path:
    """
    Return the folder of the laptop's cloud assembly of *regions_file*, made by `python -m cdk.app` in *checkout*.

    An assembly in *cache* made from the same content is used again; others there are removed.

    Raises:
        UsageError: *checkout* is not one of firstlight, or the CDK is not installed.
        RegionsError: *regions_file* cannot be used.
        DeploymentError: the synth failed.
    """
    if not (checkout / "cdk" / "app.py").is_file():
        raise UsageError(f"{checkout} has no cdk/app.py.", hint="Stacks are synthesized from a checkout of firstlight.")
    assembly = cache / _fingerprint(checkout, regions_file, regions.load(regions_file).aws)
    if not (assembly / "manifest.json").is_file():
        shutil.rmtree(cache, ignore_errors=True)
        unfinished = assembly.with_suffix(".new")
        unfinished.mkdir(parents=True)
        _run(checkout, regions_file, unfinished)
        unfinished.rename(assembly)
    return assembly


def _run(checkout: Path, regions_file: Path, folder: Path) -> None:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "CDK_OUTDIR": str(folder.resolve()),
        "FIRSTLIGHT_REGIONS_FILE": str(regions_file.resolve()),
        # The synth suite of tests validates; here it would be two thirds of the time.
        "CDK_VALIDATION": "false",
        # What is synthesized here goes to the laptop's AWS, which a queue that insists on TLS would shut out.
        "CDK_CONTEXT_JSON": '{"firstlight:plain_http": true}',
    }
    with tempfile.TemporaryFile() as said:
        code = _in_a_group_of_its_own([sys.executable, "-m", "cdk.app"], checkout, environment, said)
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    if code != 0:
        raise DeploymentError(f"The synth failed: {lines[-1] if lines else f'exit {code}'}")


def _in_a_group_of_its_own(command: Sequence[str], folder: Path, environment: dict[str, str], said: IO[bytes]) -> int:
    """
    Run *command* and return its exit code; nothing it started outlives this, whichever way it ends.
    """
    process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # A file: a pipe would be waited for as long as anybody holds it.
        stderr=said,
        start_new_session=True,
    )
    try:
        return process.wait(_LONGEST)
    except subprocess.TimeoutExpired as e:
        raise DeploymentError(f"The synth did not end within {_LONGEST:.0f} seconds.") from e
    finally:
        # The group keeps its id while anybody is in it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _fingerprint(checkout: Path, regions_file: Path, named: tuple[AwsRegion, ...]) -> str:
    digest = hashlib.sha256(f"{sys.version} {_cdk_version()} {regions_file.resolve()}".encode())
    for file in (*_sources(checkout), regions_file, *_files(named)):
        digest.update(f"{file} {file.stat().st_size} ".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


def _cdk_version() -> str:
    try:
        return version("aws-cdk-lib")
    except PackageNotFoundError as e:
        raise UsageError("Stacks need the CDK.", hint="pip install 'firstlight[cdk]'") from e


def _sources(checkout: Path) -> Iterator[Path]:
    for source in _SOURCES:
        path = checkout / source
        if path.is_file():
            yield path
        for file in sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _files(named: tuple[AwsRegion, ...]) -> Iterator[Path]:
    for region in named:
        yield from region.ca_certificates
        yield from region.trusted_issuers
        if region.token_key_file is not None:
            yield region.token_key_file
