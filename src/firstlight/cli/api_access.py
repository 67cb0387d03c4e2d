"""
How a command reaches an ingest API: with whose credentials, trusting whom, by which proxy.
"""

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import click
from yarl import URL

from firstlight import pki
from firstlight.errors import UsageError
from firstlight.loopback import is_loopback
from firstlight.push import Authorization, basic, bearer

CREDENTIALS = "FIRSTLIGHT_BASIC_CREDENTIALS"


def authorization(token_key: Path | None, audience: str, credentials: str | None) -> Authorization:
    """
    Return what signs a token with the key, or answers `USER:PASSWORD_FILE`, or the environment's credentials.

    Raises:
        UsageError: there are none, or two, or they cannot be read.
    """
    if token_key and credentials:
        raise UsageError("--token-key and --basic exclude each other.")
    if token_key:
        _warn_if_exposed(token_key)
        return bearer(pki.load_key(token_key), audience, now=lambda: datetime.now(UTC))
    if credentials:
        user, _, file = credentials.partition(":")
        return basic(user, _password(Path(file)) if file else "")
    if CREDENTIALS in os.environ:
        user, _, password = os.environ[CREDENTIALS].partition(":")
        return basic(user, password)
    raise UsageError("A push needs credentials.", hint="Give --token-key with --audience, or --basic.")


def _password(file: Path) -> str:
    try:
        password = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"The password file {file} cannot be read.") from e
    _warn_if_exposed(file)
    return password.rstrip("\r\n")


def _warn_if_exposed(file: Path) -> None:
    if file.exists() and (warning := pki.exposure(file)):
        click.echo(f"firstlight: {warning}", err=True)


def trusting(file: Path | None) -> ssl.SSLContext | None:
    """
    Return the TLS context that believes the CA in *file*; None, for the system's, without a file.

    Raises:
        UsageError: the file cannot be read.
    """
    if file is None:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as e:
        raise UsageError(f"{file} cannot be read, or holds no CA certificate in PEM.") from e


def proxy(route: URL) -> str | None:
    """
    Return the environment's proxy for *route*, as every other HTTP client of the operator's uses it.
    """
    host = route.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(route.scheme)
