"""
Why a device's connection did not go on, told apart as far as a device can know.
"""

from enum import StrEnum

from firstlight.errors import SessionError


class Reason(StrEnum):
    """
    What stopped a device; stable, for machines.
    """

    NAME = "name-not-resolved"
    UNREACHABLE = "unreachable"
    PORT = "port-refused"
    NOT_TLS = "not-tls"
    UNTRUSTED = "server-not-trusted"
    SERVER_NAME = "server-has-another-name"
    SERVER_DATES = "server-out-of-date"
    TLS = "tls-failed"
    CLOSED = "closed-before-connack"
    CONNACK = "connect-refused"
    NOT_AUTHORIZED = "not-authorized"
    REFUSED = "refused"
    CUT = "connection-cut"
    NO_ANSWER = "no-answer"
    NO_MESSAGE = "no-message"
    SDK = "sdk-error"
    # told apart by Azure, or with what its service side knows
    REFUSED_CREDENTIALS = "not-let-in"
    REGISTRATION = "registration-refused"
    ID_SCOPE = "id-scope-unknown"
    COMMON_NAME = "common-name-differs"
    CASE = "case-differs"
    CHAIN = "chain-not-sent"
    CA = "ca-not-verified"
    THUMBPRINT = "thumbprint-differs"
    DISABLED = "disabled"
    UNKNOWN_DEVICE = "device-unknown"
    SERVICE = "service-refused"
    NO_SERVICE = "no-service-side"
    # of checks that must fail and did not
    ALLOWED = "allowed"
    UNDECIDED = "undecided"


# A cloud that provisions just in time, or is busy, may say yes to the next connect.
PASSING = frozenset({Reason.CLOSED, Reason.CONNACK, Reason.NO_ANSWER, Reason.CUT})
# Before MQTT began: no version of it will do better.
BEFORE_MQTT = frozenset(
    {
        Reason.NAME,
        Reason.UNREACHABLE,
        Reason.PORT,
        Reason.NOT_TLS,
        Reason.UNTRUSTED,
        Reason.SERVER_NAME,
        Reason.SERVER_DATES,
        Reason.TLS,
    }
)
# Beyond doubt; of trust in the server the device SDK has the last word, unless both were given the CA.
CERTAIN = frozenset({Reason.NAME, Reason.UNREACHABLE, Reason.PORT, Reason.NOT_TLS})
TRUST = frozenset({Reason.UNTRUSTED, Reason.SERVER_NAME, Reason.SERVER_DATES})
# The cloud said no to a connect, or to what was tried on a connection.
CONNECT_DENIED = frozenset({Reason.CLOSED, Reason.CONNACK})
DENIED = frozenset({Reason.NOT_AUTHORIZED, Reason.REFUSED, Reason.CUT})

_MAX_WORDS = 200
CLOSED_SENTENCE = (
    "closed by the cloud before CONNACK: just-in-time provisioning, or no policy, or the certificate is not ACTIVE"
)


def harmless(words: str) -> str:
    """
    Return a server's own *words* fit for a terminal: printable, and not too many.
    """
    return "".join(c if c.isprintable() else "·" for c in words[:_MAX_WORDS])


def closed() -> SessionError:
    """
    Return the error of a connection closed between TLS and CONNACK.
    """
    return SessionError(CLOSED_SENTENCE, reason=Reason.CLOSED)
