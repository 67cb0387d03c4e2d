"""
What the function that reads uploaded manifests runs: what every Lambda does, and a reader of 7z archives.

`python -m firstlight.deploy.manifest_bundle` fetches that reader's wheels, once; only a region with
`manifest_uploads` needs them.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from firstlight.deploy import bundle, packages, tree
from firstlight.deploy.bundle import CHECKOUT, LAMBDA_WHEELS, Platform

SIGNERS = "manifest_signers.pem"
_FETCH = "python -m firstlight.deploy.manifest_bundle"


def vendor(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return the folder of the reader's packages of *platform*, fetched with pip if it is not there yet.

    Raises:
        DeploymentError: pip could not, or there is no lock.
    """
    options = LAMBDA_WHEELS if platform is Platform.LAMBDA else ()
    lock = packages.lock_of(_shell(checkout))
    return packages.fetch(lock, vendored(platform, checkout=checkout), options=options, what=f"{platform} archives")


def vendored(platform: Platform, *, checkout: Path = CHECKOUT) -> Path:
    """
    Return where `vendor` puts the packages of *platform*, whether they are there or not.

    Raises:
        DeploymentError: there is no lock.
    """
    lock = packages.lock_of(_shell(checkout))
    return packages.folder_of(f"{platform}-archives", lock, checkout, this_machine=platform is Platform.HOST)


def assemble(
    platform: Platform,
    *,
    out: Path,
    trusted_issuers: Iterable[Path] = (),
    signers: Iterable[Path] = (),
    checkout: Path = CHECKOUT,
) -> Path:
    """
    Lay the bundle of *platform* out in the folder *out* and return it, as `bundle.assemble` does.

    The certificates of *signers*, PEM files, become `manifest_signers.pem` beside the handlers.

    Raises:
        DeploymentError: packages were never fetched.
        CertificateError: a file of *trusted_issuers* or *signers* holds no certificate.
    """
    reader = packages.files(vendored(platform, checkout=checkout), lacking="the reader of archives", fetch=_FETCH)
    files = {**reader, **bundle.contents(platform, trusted_issuers=trusted_issuers, checkout=checkout)}
    if believed := packages.issuers(signers):
        files[SIGNERS] = believed
    tree.lay_out(files, out)
    return out


def main(arguments: Sequence[str]) -> int:
    """
    Fetch and build what *arguments* name, Lambda's if none; return the exit code.
    """
    return bundle.build(arguments or [Platform.LAMBDA], Platform, vendor, assemble)


def _shell(checkout: Path) -> Path:
    return checkout / "lambdas" / "archives"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
