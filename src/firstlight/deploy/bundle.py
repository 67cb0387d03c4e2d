"""
What a Lambda runs, laid out as a folder, without Docker: third-party wheels, our code, no more.

`python -m firstlight.deploy.bundle` fetches the wheels, once, and builds the bundles of all platforms.
docs/adr/0003-bundles-without-docker.md says why it is done so.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from firstlight.deploy import handler_source, packages, tree
from firstlight.errors import FirstlightError

# An editable install stands in its checkout; the handlers are nowhere else.
CHECKOUT = Path(__file__).resolve().parents[3]
TRUSTED_ISSUERS = "trusted_issuers.pem"
LAMBDA_PYTHON = "3.13"
LAMBDA_WHEELS = ("--platform", "manylinux2014_aarch64", "--implementation", "cp", "--python-version", LAMBDA_PYTHON)


class Platform(StrEnum):
    """
    Whose wheels a bundle carries.
    """

    # python3.13 on arm64, Amazon Linux 2023
    LAMBDA = "lambda"
    # this interpreter on this machine: the laptop AWS runs a Lambda in its own
    HOST = "host"


P = TypeVar("P", bound=StrEnum)
_Which_contra = TypeVar("_Which_contra", bound=StrEnum, contravariant=True)


class _Assemble(Protocol[_Which_contra]):
    def __call__(self, platform: _Which_contra, /, *, out: Path) -> Path: ...


def vendor(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return the folder of third-party packages of *platform*, fetched with pip if it is not there yet.

    Its name holds the hash of lambdas/requirements.txt, so another lock is another folder.

    Raises:
        DeploymentError: pip could not, or there is no lock.
    """
    options = LAMBDA_WHEELS if platform is Platform.LAMBDA else ()
    folder = vendored(platform, checkout=checkout)
    return packages.fetch(packages.lock_of(checkout / "lambdas"), folder, options=options, what=platform)


def vendored(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return where `vendor` puts the packages of *platform*, whether they are there or not.

    Raises:
        DeploymentError: there is no lock.
    """
    lock = packages.lock_of(checkout / "lambdas")
    return packages.folder_of(platform, lock, checkout, this_machine=platform is Platform.HOST)


def assemble(platform: Platform, *, out: Path, trusted_issuers: Iterable[Path] = (), checkout: Path = CHECKOUT) -> Path:
    """
    Lay the bundle of *platform* out in the folder *out* and return it.  Needs no network.

    Our code is copied anew every time, so a stale one cannot be deployed; equal sources make equal bytes.
    The certificates of *trusted_issuers*, PEM files, become `trusted_issuers.pem` beside the handlers.

    Raises:
        DeploymentError: the packages were never fetched.
        CertificateError: a file of *trusted_issuers* holds no certificate.
    """
    tree.lay_out(contents(platform, trusted_issuers=trusted_issuers, checkout=checkout), out)
    return out


def contents(
    platform: Platform, *, trusted_issuers: Iterable[Path] = (), checkout: Path = CHECKOUT
) -> dict[str, Path | bytes]:
    """
    Return what `assemble` lays out, by relative POSIX path.

    Raises:
        DeploymentError: the packages were never fetched.
        CertificateError: a file of *trusted_issuers* holds no certificate.
    """
    found = packages.files(
        vendored(platform, checkout=checkout), lacking="a Lambda", fetch="python -m firstlight.deploy.bundle"
    )
    files: dict[str, Path | bytes] = {**found, **handler_source.of(checkout / "lambdas", checkout / "src")}
    files |= packages.own_metadata(checkout)
    if issuers := packages.issuers(trusted_issuers):
        files[TRUSTED_ISSUERS] = issuers
    return files


def main(arguments: Sequence[str]) -> int:
    """
    Fetch and build what *arguments* name, all platforms if none; return the exit code.
    """
    return build(arguments, Platform, vendor, assemble)


def build(arguments: Sequence[str], platforms: type[P], vendor: Callable[[P], Path], assemble: _Assemble[P]) -> int:
    """
    Fetch and build what *arguments* name of *platforms*, all of them if none; return the exit code.
    """
    try:
        for platform in [platforms(a) for a in arguments] or list(platforms):
            vendor(platform)
            bundle = assemble(platform, out=CHECKOUT / "build" / platform)
            sys.stdout.write(f"{platform}: {bundle} {_sizes(bundle)}\n")
    except ValueError as e:
        sys.stderr.write(f"{e}: there are {', '.join(platforms)}.\n")
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
