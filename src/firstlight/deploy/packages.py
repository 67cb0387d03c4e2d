"""
Third-party packages of a bundle: fetched once with pip, from a lock, whole or not at all.
"""

import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from firstlight import certificates
from firstlight.deploy import tree
from firstlight.errors import CertificateError, DeploymentError

# Nothing of these is read when a handler runs; licences and metadata stay.
_NEEDLESS_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".h", "/RECORD", "/INSTALLER", "/REQUESTED")
_NEEDLESS_FOLDERS = ("bin/",)
_MARKER = re.compile(r' ; python_version (<|>=) "3\.(\d+)"')


def lock_of(shell: Path) -> Path:
    """
    Return the lock of the entry points in the folder *shell*.

    Raises:
        DeploymentError: there is none.
    """
    path = shell / "requirements.txt"
    if not path.is_file():
        raise DeploymentError(f"{path} does not exist.", hint="Bundles are built from a checkout.")
    return path


def folder_of(name: str, lock: Path, checkout: Path, *, this_machine: bool) -> Path:
    """
    Return where the packages called *name* are kept: another *lock* is another folder.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    tag = f"-{sys.implementation.cache_tag}-{sysconfig.get_platform()}" if this_machine else ""
    return checkout / "build" / "vendor" / f"{name}{tag}-{digest}"


def fetch(lock: Path, folder: Path, *, options: Sequence[str], what: str) -> Path:
    """
    Return *folder*, filled with the packages of *lock* if it is not there yet; *options* tell pip whose wheels.

    Raises:
        DeploymentError: pip could not.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fetched = Path(scratch) / folder.name
        _pip_install(lock, fetched, options=options, what=what)
        # only a whole folder gets the name; somebody else may have been quicker
        if not folder.is_dir():
            fetched.rename(folder)
    return folder


def files(folder: Path, *, lacking: str, fetch: str) -> dict[str, Path]:
    """
    Return what of *folder* is read at run time, by relative POSIX path.

    Raises:
        DeploymentError: the packages that *lacking* needs were never fetched, which the command *fetch* does.
    """
    if not folder.is_dir():
        raise DeploymentError(f"The packages {lacking} needs are not in {folder}.", hint=f"Fetch them once: {fetch}")
    return {name: path for name, path in tree.files_of(folder).items() if not _needless(name)}


def own_metadata(checkout: Path) -> dict[str, bytes]:
    """
    Return what importlib.metadata needs to tell our version.
    """
    project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    return {f"{name}-{version}.dist-info/METADATA": text.encode()}


def issuers(files: Iterable[Path]) -> bytes:
    """
    Return the certificates of *files*, PEM or DER, as one PEM file; empty without files.

    Raises:
        CertificateError: one holds no certificate.
    """
    text = ""
    for path in files:
        try:
            text += "".join(certificate.pem for certificate in certificates.load_all(path.read_bytes()))
        except CertificateError as e:
            raise CertificateError(f"{path}: {e.message}", hint=e.hint) from e
    return text.encode()


def for_python(lock: str, minor: int) -> str:
    """
    Return *lock* with its `python_version` markers decided for Python 3.*minor*: pip decides them for its own.
    """
    blocks = re.split(r"\n(?=\S)", lock)
    kept = [b for b in blocks if (m := _MARKER.search(b)) is None or (minor < int(m[2])) == (m[1] == "<")]
    return _MARKER.sub("", "\n".join(kept))


def _pip_install(lock: Path, target: Path, *, options: Sequence[str], what: str) -> None:
    minor = int(options[options.index("--python-version") + 1][2:]) if options else sys.version_info.minor
    decided = target.with_name("requirements.txt")
    decided.write_text(for_python(lock.read_text("utf-8"), minor))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    # The lock is complete: pip resolves nothing, so nothing that is not in it can come along.
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--target", str(target)]
    done = subprocess.run([*command, *options, "-r", str(decided)], check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1] if errors else f"exit code {done.returncode}"
        raise DeploymentError(f"pip could not fetch the packages of {lock} for {what}: {reason}")


def _needless(name: str) -> bool:
    return name.endswith(_NEEDLESS_SUFFIXES) or name.startswith(_NEEDLESS_FOLDERS)
