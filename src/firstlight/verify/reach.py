"""
Look at an endpoint before a device connects: does its name resolve, its port answer, its certificate hold?

The device SDK folds all of TLS into one error, and when it does not trust the server it keeps the
error back for 10 to 30 seconds (s2n's blinding).  One handshake with the standard library, without
the device's certificate, tells the reasons apart at once.  A handshake alone provisions nothing.
"""

import http.client
import socket
import ssl
from typing import Protocol

from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason, harmless

# X509_V_ERR_* of OpenSSL's x509_vfy.h
_DATES = {9: "is not valid yet", 10: "has expired"}
_HOSTNAME_MISMATCH = 62
# Said by a server that misses the device's certificate: it got as far as we want to know.
_MISSES_OURS = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "PACKET_LENGTH_TOO_LONG")


class Door(Protocol):
    """
    Where devices knock: a host name and port, who may have signed its certificate, what to offer in ALPN.
    """

    @property
    def endpoint(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def ca_pem(self) -> bytes | None: ...

    @property
    def protocols(self) -> list[str]: ...


def look(target: Door, seconds: float, proxy: tuple[str, int] | None = None) -> SessionError | None:
    """
    Return what keeps any device from reaching MQTT at *target*, or None.  Blocks up to *seconds* a step.

    *proxy* is the host and port of an HTTP proxy that takes CONNECT.
    """
    try:
        tcp = _tunnel(target, seconds, *proxy) if proxy else _reach(target, seconds)
    except ValueError:  # UnicodeError among them: a label is empty or too long, before anybody is asked
        return _no_name(target.endpoint, *(proxy or ())[:1])
    except (OSError, http.client.HTTPException) as e:
        return _untunnelled(e, target, *proxy) if proxy else _unreached(e, target)
    with tcp:
        try:
            with _context(target).wrap_socket(tcp, server_hostname=target.endpoint):
                return None
        except ssl.SSLCertVerificationError as e:
            return _distrusted(e, target)
        except OSError as e:
            return _unshaken(e, target)
        except ValueError:  # a proxy took it, and TLS does not
            return _no_name(target.endpoint)


def _reach(target: Door, seconds: float) -> socket.socket:
    return socket.create_connection((target.endpoint, target.port), timeout=seconds)


def _tunnel(target: Door, seconds: float, host: str, port: int) -> socket.socket:
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    connection.set_tunnel(target.endpoint, target.port)
    try:
        connection.connect()
    except BaseException:  # also when cancelled: no connection is left behind
        connection.close()
        raise
    tcp: socket.socket = connection.sock
    return tcp


def _no_name(*names: str) -> SessionError:
    return SessionError(f"{harmless(' or '.join(names))} cannot be the name of a host", reason=Reason.NAME)


def _untunnelled(error: Exception, target: Door, host: str, port: int) -> SessionError:
    where = f"{target.endpoint}:{target.port} through the proxy {host}:{port}"
    reason = Reason.PORT if isinstance(error, ConnectionRefusedError) else Reason.UNREACHABLE
    return SessionError(
        f"{where} cannot be reached: {harmless(str(getattr(error, 'strerror', '') or error))}", reason=reason
    )


def _context(target: Door) -> ssl.SSLContext:
    text = None if target.ca_pem is None else target.ca_pem.decode("ascii")
    context = ssl.create_default_context(cadata=text)
    # Python 3.13 turned RFC 5280's strictest reading on; the device SDK has none of it
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if target.protocols:
        context.set_alpn_protocols(target.protocols)
    return context


def _unreached(error: Exception, target: Door) -> SessionError:
    where = f"{target.endpoint}:{target.port}"
    match error:
        case socket.gaierror():
            return SessionError(f"{target.endpoint} does not resolve: {error.strerror}", reason=Reason.NAME)
        case ConnectionRefusedError():
            return SessionError(f"{where} refuses TCP connections", reason=Reason.PORT)
        case TimeoutError():
            return SessionError(f"{where} does not answer", reason=Reason.UNREACHABLE)
    return SessionError(
        f"{where} cannot be reached: {getattr(error, 'strerror', '') or error}", reason=Reason.UNREACHABLE
    )


def _unshaken(error: OSError, target: Door) -> SessionError | None:
    where = f"{target.endpoint}:{target.port}"
    said = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if any(alert in said for alert in _MISSES_OURS):
        return None
    if isinstance(error, TimeoutError) or said in _NO_TLS:
        return SessionError(f"{where} takes connections and does not speak TLS", reason=Reason.NOT_TLS)
    return SessionError(f"{where} ended the TLS handshake: {said or error}", reason=Reason.TLS)


def _distrusted(error: ssl.SSLCertVerificationError, target: Door) -> SessionError:
    if error.verify_code == _HOSTNAME_MISMATCH:
        return SessionError(f"the server's certificate is not for {target.endpoint}", reason=Reason.SERVER_NAME)
    if error.verify_code in _DATES:
        return SessionError(
            f"the certificate of {target.endpoint} {_DATES[error.verify_code]} by this machine's clock",
            reason=Reason.SERVER_DATES,
        )
    store = "this machine's trust store" if target.ca_pem is None else "--ca-file"
    return SessionError(
        f"the certificate of {target.endpoint} is not signed by a CA of {store}: {error.verify_message}",
        reason=Reason.UNTRUSTED,
    )
