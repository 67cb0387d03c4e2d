"""
A server's TLS: version 1.2 or 1.3, forward secrecy, authenticated encryption.
"""

import ssl
from pathlib import Path
from typing import NoReturn

from firstlight.errors import UsageError

# TLS 1.3 has only such suites; this is what is left of 1.2.
_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """
    Return the context of a server with *certificate* (PEM, leaf first, then its chain) and its *key* (PEM).

    Raises:
        UsageError: a file cannot be read, or the two do not belong together, or the key is encrypted.
    """

    def ask() -> NoReturn:
        raise UsageError(f"The key {key} is encrypted.", hint="A server must start without anyone to type a password.")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    for file in (certificate, key):
        if not file.is_file():
            raise UsageError(f"{file} cannot be read: there is no such file.")
    try:
        context.load_cert_chain(certificate, key, ask)
    except (OSError, ssl.SSLError) as e:
        raise UsageError(
            f"{certificate} and {key} cannot be served with.", hint="They must be PEM, and the key the certificate's."
        ) from e
    return context
