"""
Settings and a registry to the endpoint that a Lambda or a server puts its envelope around.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from firstlight import certificates, token_keys
from firstlight.errors import CertificateError, SettingsError
from firstlight.inspection import Inspector
from firstlight.interop import Interop
from firstlight.overflow import Overflow
from firstlight.provision import Admission, Registry
from firstlight.settings import Settings
from firstlight.tokens import AnyOf, Basic, Bearer, FixedKey, Guard, KeySource, VerificationKey
from firstlight.trusted_issuers import TrustedIssuers


def interop_from(
    settings: Settings,
    registry: Registry,
    *,
    now: Callable[[], datetime],
    overflow: Overflow | None = None,
    inspector: Inspector | None = None,
) -> Interop:
    """
    Read the files that *settings* names and put the endpoint together.

    Raises:
        SettingsError: a file cannot be read, or what is in it cannot be used.
    """
    return Interop(
        registry=registry,
        guard=_guard(settings),
        admission=admission_from(settings),
        topic=settings.topic,
        now=now,
        overflow=overflow,
        inspector=inspector,
    )


def admission_from(settings: Settings) -> Admission:
    """
    Return which certificates an endpoint, or a worker, lets in, and under which name.

    Raises:
        SettingsError: the file of trusted issuers cannot be read, or what is in it cannot be used.
    """
    return Admission(rule=settings.rule, trusted=_trusted(settings))


def _guard(settings: Settings) -> Guard:
    guards: dict[str, Guard] = {}
    if settings.audience:
        guards["bearer"] = Bearer(
            keys=_keys(settings), audience=settings.audience, max_lifetime=settings.token_max_lifetime
        )
    if settings.basic_credentials:
        guards["basic"] = Basic(settings.basic_credentials)
    return next(iter(guards.values())) if len(guards) == 1 else AnyOf(guards)


def _keys(settings: Settings) -> KeySource:
    if settings.token_key:
        return FixedKey(VerificationKey.from_pem(settings.token_key.encode()))
    if settings.token_key_file:
        return token_keys.from_file(Path(settings.token_key_file))
    return token_keys.UrlKey(settings.token_key_url)


def _trusted(settings: Settings) -> TrustedIssuers | None:
    if not settings.trusted_issuers_file:
        return None
    path = Path(settings.trusted_issuers_file)
    try:
        return TrustedIssuers(certificates.load_all(path.read_bytes()))
    except OSError as e:
        raise SettingsError(f"The trusted issuers file {path} cannot be read: {e.strerror}.") from e
    except CertificateError as e:
        raise SettingsError(f"The trusted issuers file {path} cannot be used: {e}") from e
