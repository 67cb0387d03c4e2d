"""
What a Lambda runs, laid out as a folder, without Docker: third-party wheels, our code, no more.

`python -m firstlight.deploy.bundle` fetches the wheels, once, and builds the bundles of all platforms.
docs/adr/0003-bundles-without-docker.md says why it is done so.
"""

import hashlib
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from firstlight import certificates
from firstlight.deploy import handler_source, tree
from firstlight.errors import CertificateError, DeploymentError, FirstlightError

# An editable install stands in its checkout; the handlers are nowhere else.
CHECKOUT = Path(__file__).resolve().parents[3]
TRUSTED_ISSUERS = "trusted_issuers.pem"
LAMBDA_PYTHON = "3.13"


class Platform(StrEnum):
    """
    Whose wheels a bundle carries.
    """

    # python3.13 on arm64, Amazon Linux 2023
    LAMBDA = "lambda"
    # this interpreter on this machine: the laptop AWS runs a Lambda in its own
    HOST = "host"


# Nothing of these is read when a handler runs; licences and metadata stay.
_NEEDLESS_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".h", "/RECORD", "/INSTALLER", "/REQUESTED")
_NEEDLESS_FOLDERS = ("bin/",)


def vendor(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return the folder of third-party packages of *platform*, fetched with pip if it is not there yet.

    Its name holds the hash of lambdas/requirements.txt, so another lock is another folder.

    Raises:
        DeploymentError: pip could not, or there is no lock.
    """
    folder = vendored(platform, checkout=checkout)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fetched = Path(scratch) / folder.name
        _pip_install(platform, _requirements(checkout), fetched)
        # only a whole folder gets the name; somebody else may have been quicker
        if not folder.is_dir():
            fetched.rename(folder)
    return folder


def vendored(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return where `vendor` puts the packages of *platform*, whether they are there or not.

    Raises:
        DeploymentError: there is no lock.
    """
    lock = hashlib.sha256(_requirements(checkout).read_bytes()).hexdigest()[:12]
    tag = "" if platform is Platform.LAMBDA else f"-{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    return checkout / "build" / "vendor" / f"{platform}{tag}-{lock}"


def assemble(platform: Platform, *, out: Path, trusted_issuers: Iterable[Path] = (), checkout: Path = CHECKOUT) -> Path:
    """
    Lay the bundle of *platform* out in the folder *out* and return it.  Needs no network.

    Our code is copied anew every time, so a stale one cannot be deployed; equal sources make equal bytes.
    The certificates of *trusted_issuers*, PEM files, become `trusted_issuers.pem` beside the handlers.

    Raises:
        DeploymentError: the packages were never fetched.
        CertificateError: a file of *trusted_issuers* holds no certificate.
    """
    packages = vendored(platform, checkout=checkout)
    if not packages.is_dir():
        raise DeploymentError(
            f"The packages a Lambda needs are not in {packages}.",
            hint="Fetch them once: python -m firstlight.deploy.bundle",
        )
    files: dict[str, Path | bytes] = {
        name: path for name, path in tree.files_of(packages).items() if not _needless(name)
    }
    files |= handler_source.of(checkout / "lambdas", checkout / "src")
    files |= _metadata(checkout)
    if issuers := _issuers(trusted_issuers):
        files[TRUSTED_ISSUERS] = issuers
    tree.lay_out(files, out)
    return out


def main(arguments: Sequence[str]) -> int:
    """
    Fetch and build what *arguments* name, all platforms if none; return the exit code.
    """
    try:
        for platform in [Platform(a) for a in arguments] or list(Platform):
            vendor(platform)
            bundle = assemble(platform, out=CHECKOUT / "build" / platform)
            sys.stdout.write(f"{platform}: {bundle} {_sizes(bundle)}\n")
    except ValueError as e:
        sys.stderr.write(f"{e}: there are {', '.join(Platform)}.\n")
        return 2
    except FirstlightError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


def _sizes(bundle: Path) -> str:
    unpacked = sum(path.stat().st_size for path in tree.files_of(bundle).values())
    with tempfile.TemporaryDirectory() as scratch:
        zipped = tree.archive(bundle, Path(scratch) / "bundle.zip").stat().st_size
    return f"({unpacked / 1e6:.1f} MB, zipped {zipped / 1e6:.1f} MB)"


def _requirements(checkout: Path) -> Path:
    path = checkout / "lambdas" / "requirements.txt"
    if not path.is_file():
        raise DeploymentError(f"{path} does not exist.", hint="Bundles are built from a checkout.")
    return path


def _pip_install(platform: Platform, requirements: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    # The lock is complete: pip resolves nothing, so nothing that is not in it can come along.
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--target", str(target)]
    if platform is Platform.LAMBDA:
        command += ["--platform", "manylinux2014_aarch64", "--implementation", "cp", "--python-version", LAMBDA_PYTHON]
    done = subprocess.run([*command, "-r", str(requirements)], check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1] if errors else f"exit code {done.returncode}"
        raise DeploymentError(f"pip could not fetch the packages of {requirements} for {platform}: {reason}")


def _needless(name: str) -> bool:
    return name.endswith(_NEEDLESS_SUFFIXES) or name.startswith(_NEEDLESS_FOLDERS)


def _metadata(checkout: Path) -> dict[str, bytes]:
    """
    Return what importlib.metadata needs to tell our version.
    """
    project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    return {f"{name}-{version}.dist-info/METADATA": text.encode()}


def _issuers(files: Iterable[Path]) -> bytes:
    text = ""
    for path in files:
        try:
            text += "".join(certificate.pem for certificate in certificates.load_all(path.read_bytes()))
        except CertificateError as e:
            raise CertificateError(f"{path}: {e.message}", hint=e.hint) from e
    return text.encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
