"""
What an Azure Function runs, laid out as a folder, without Core Tools: third-party wheels, our code, no more.

`python -m firstlight.deploy.azure_bundle` fetches the wheels, once, and builds the bundles of all platforms;
docs/adr/0003-bundles-without-docker.md says why it is done so.
"""

import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from firstlight.deploy import bundle, handler_source, packages, tree
from firstlight.deploy.bundle import CHECKOUT, TRUSTED_ISSUERS
from firstlight.deploy.manifest_bundle import SIGNERS
from firstlight.errors import DeploymentError

# What the template asks Flex Consumption for.
FUNCTION_PYTHON = "3.12"
SHELL = "azure/function_app"
# Where the Functions worker looks for packages that were not built by Azure.
PACKAGES = ".python_packages/lib/site-packages"
_WHEELS = ("--platform", "manylinux2014_x86_64", "--implementation", "cp", "--python-version", FUNCTION_PYTHON)


class Platform(StrEnum):
    """
    Whose wheels a bundle carries.
    """

    # Python on x86-64 Linux, as Flex Consumption runs it
    FUNCTION = "function"
    # this interpreter on this machine
    HOST = "function-host"


def vendor(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return the folder of third-party packages of *platform*, fetched with pip if it is not there yet.

    Raises:
        DeploymentError: pip could not, or there is no lock.
    """
    options = _WHEELS if platform is Platform.FUNCTION else ()
    folder = vendored(platform, checkout=checkout)
    return packages.fetch(packages.lock_of(checkout / SHELL), folder, options=options, what=platform)


def vendored(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return where `vendor` puts the packages of *platform*, whether they are there or not.

    Raises:
        DeploymentError: there is no lock.
    """
    lock = packages.lock_of(checkout / SHELL)
    return packages.folder_of(platform, lock, checkout, this_machine=platform is Platform.HOST)


def assemble(
    platform: Platform,
    *,
    out: Path,
    trusted_issuers: Iterable[Path] = (),
    signers: Iterable[Path] = (),
    checkout: Path = CHECKOUT,
) -> Path:
    """
    Lay the bundle of *platform* out in the folder *out* and return it.  Needs no network.

    The entry point and host.json are at its root, our library beside them, packages in `PACKAGES`; the
    certificates of *trusted_issuers* become `trusted_issuers.pem`, those of *signers* `manifest_signers.pem`.
    Equal sources make equal bytes.

    Raises:
        DeploymentError: the packages were never fetched.
        CertificateError: a file of *trusted_issuers* or *signers* holds no certificate.
    """
    found = packages.files(
        vendored(platform, checkout=checkout),
        lacking="the function",
        fetch="python -m firstlight.deploy.azure_bundle",
    )
    files: dict[str, Path | bytes] = {f"{PACKAGES}/{name}": path for name, path in found.items()}
    files |= {f"{PACKAGES}/{name}": text for name, text in packages.own_metadata(checkout).items()}
    shell = checkout / SHELL
    for name, path in handler_source.of(shell, checkout / "src").items():
        # no folder called azure beside function_app.py: the SDKs share that name
        files[name.removeprefix(f"{shell.name}/")] = path
    files["host.json"] = _host(shell)
    if issuers := packages.issuers(trusted_issuers):
        files[TRUSTED_ISSUERS] = issuers
    if believed := packages.issuers(signers):
        files[SIGNERS] = believed
    tree.lay_out(files, out)
    return out


def main(arguments: Sequence[str]) -> int:
    """
    Fetch and build what *arguments* name, all platforms if none; return the exit code.
    """
    return bundle.build(arguments, Platform, vendor, assemble)


def _host(shell: Path) -> Path:
    path = shell / "host.json"
    if not path.is_file():
        raise DeploymentError(f"{path} does not exist.", hint="Bundles are built from a checkout.")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
