"""
TLS as the clouds' device endpoints do it: any client certificate, its key proven, judged later.
"""

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from firstlight.certificates import Certificate
from firstlight.pki import PrivateKey

ALPN = (b"x-amzn-mqtt-ca", b"mqtt")
# A device's issuers are few.
_MAX_CHAIN = 10


def server_context(chain: Sequence[Certificate], key: PrivateKey) -> SSL.Context:
    """
    Return a context for TLS 1.2 and 1.3 that shows *chain*, leaf first, and demands a client certificate.

    Whether the certificate is known, valid and whose is not decided here: the stores behind OpenSSL cannot
    tell two CAs of one name apart, nor accept a leaf whose issuer is nowhere, and both are legal in the clouds.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(chain[0].x509)
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer.x509)
    context.use_privatekey(key)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _take_any)
    # AWS IoT has no session tickets either, and a resumed session would show no certificate
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    # an idle device should not cost two 16 KiB buffers
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_alpn_select_callback(_choose)
    return context


def peer_certificate(connection: SSL.Connection) -> Certificate | None:
    """
    Return what the client showed, or None when it cannot be read as a certificate.
    """
    try:
        shown = connection.get_peer_certificate(as_cryptography=True)
        return None if shown is None else _parsed(shown)
    except (ValueError, x509.InvalidVersion):
        return None


def peer_chain(connection: SSL.Connection) -> tuple[Certificate, ...]:
    """
    Return what the client sent behind its certificate, as it sent it; nothing when one of them cannot be read.
    """
    try:
        sent = connection.get_peer_cert_chain(as_cryptography=True) or []
        return tuple(_parsed(certificate) for certificate in sent[:_MAX_CHAIN])
    except (ValueError, x509.InvalidVersion):
        return ()


def _parsed(shown: x509.Certificate) -> Certificate:
    # parsed when asked for, and everybody will ask
    _ = shown.subject, shown.issuer, shown.serial_number, shown.not_valid_after_utc, shown.not_valid_before_utc
    return Certificate(shown, shown.public_bytes(Encoding.DER))


def _take_any(_connection: SSL.Connection, _certificate: object, _error: int, _depth: int, _ok: int) -> bool:
    # OpenSSL still checks that the client holds the certificate's key
    return True


def _choose(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    return next((name for name in ALPN if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)
