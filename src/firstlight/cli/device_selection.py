"""
The devices a command names: as arguments, in files, by their certificates.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from firstlight.cli.ca_files import load_certificate
from firstlight.errors import UsageError
from firstlight.lifecycle.rows import Which


def select(names: Sequence[str], files: Sequence[str], certificates: Sequence[Path]) -> list[Which]:
    """
    Return the devices of *names*, then of *files* (a name a line, `-` is stdin), then of *certificates*; each once.

    Raises:
        UsageError: something cannot be read, or no device is named.
    """
    found = [Which(name=name) for name in names]
    found += [Which(name=name) for file in files for name in _lines(file)]
    found += [by_certificate(path) for path in certificates]
    if not found:
        raise UsageError("No device is named.", hint="Give names, --file with a name a line, or --cert.")
    return list(dict.fromkeys(found))


def by_certificate(path: Path) -> Which:
    """
    Return the device that the certificate in *path* is of.

    Raises:
        UsageError: there is none in it.
    """
    certificate = load_certificate(path)
    return Which(fingerprint=certificate.fingerprint, pem=certificate.pem)


def _lines(file: str) -> list[str]:
    try:
        with click.open_file(file, encoding="utf-8-sig") as lines:
            stripped = [line.strip() for line in lines]
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"Cannot read {file}: {getattr(e, 'strerror', None) or 'it is not text'}.") from e
    return [line for line in stripped if line and not line.startswith("#")]
