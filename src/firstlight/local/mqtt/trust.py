"""
The CA of a laptop's device endpoints: what devices on the laptop are told to trust.
"""

from datetime import datetime
from pathlib import Path

from OpenSSL import SSL

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.local.mqtt.tls import server_context

_CA, _KEY = "endpoint-ca.pem", "endpoint-ca-key.pem"
_NAME = "firstlight laptop endpoints"


def ca_file(folder: Path) -> Path:
    """
    Return where the CA certificate of the state folder *folder* is, or will be.
    """
    return folder / _CA


def endpoint_ca(folder: Path, now: datetime) -> tuple[Certificate, pki.PrivateKey]:
    """
    Return the CA of *folder*, made when there is none yet or it has expired.

    Raises:
        UsageError: the folder cannot be written, or what is there is not a CA and its key.
    """
    paths = ca_file(folder), pki.private_folder(folder) / _KEY
    if paths[0].exists() and paths[1].exists():
        ca, key = pki.load_pair(*paths)
        if now < ca.x509.not_valid_after_utc:
            return ca, key
    for path in paths:
        # half of a pair, or past its time
        path.unlink(missing_ok=True)
    key = pki.new_key()
    ca = pki.create_ca(_NAME, key=key, now=now)
    pki.write_key(paths[1], key)
    pki.write_certificate(paths[0], ca)
    return ca, key


def endpoint_context(folder: Path, names: tuple[str, ...], now: datetime) -> SSL.Context:
    """
    Return the TLS of an endpoint called *names*, its certificate issued by the CA of *folder* for this run.

    Raises:
        UsageError: as `endpoint_ca`.
    """
    ca, ca_key = endpoint_ca(folder, now)
    certificate, key = pki.server_certificate(names, ca=ca, ca_key=ca_key, now=now)
    return server_context([certificate], key)
