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

_POLICY = "The device policy: does it allow this action on this topic, for this thing?"
_LOOK_AT: dict[str, tuple[str, ...]] = {
    Reason.NAME: (
        "The endpoint's spelling: aws iot describe-endpoint --endpoint-type iot:Data-ATS",
        "This machine's name servers",
    ),
    Reason.UNREACHABLE: ("A firewall that lets neither 8883 nor 443 out; try --port 443", "The network's routes"),
    Reason.PORT: ("The port: AWS IoT listens on 8883 and 443", "On a laptop: firstlight local status"),
    Reason.NOT_TLS: ("The port: something that does not speak TLS for devices answers there",),
    Reason.UNTRUSTED: (
        "--ca-file: the CA that signed the server's certificate (AWS: Amazon Root CA 1; laptop: firstlight local env)",
        "A proxy that opens TLS on the way",
    ),
    Reason.SERVER_NAME: ("--endpoint: it must be the name the server's certificate carries, not an alias of it",),
    Reason.SERVER_DATES: ("This machine's clock", "The server's certificate"),
    Reason.TLS: ("The device's certificate chain and key", "A proxy that opens TLS on the way"),
    Reason.CLOSED: (
        "Just-in-time provisioning failed and the certificate is PENDING_ACTIVATION: metric ProvisionThing.ClientError",
        "The certificate is unknown here: not pushed, and its CA is not registered with auto-registration on",
        "The certificate is INACTIVE or REVOKED: aws iot describe-certificate",
        "No policy is attached, or its iot:Connect wants another client id: the client id must be the thing's name",
        "The endpoint is another account's or another region's",
        "On a laptop the front door knows: jitp.log and front-door.log below its state folder",
    ),
    Reason.CONNACK: (
        "The device policy's iot:Connect: the client id must be the thing's name, and the thing attached",
        "Quotas: one CONNECT a second for each client id",
    ),
    Reason.NOT_AUTHORIZED: (_POLICY,),
    Reason.REFUSED: (_POLICY, "Quotas of the account"),
    Reason.CUT: (_POLICY, "Another client with the same client id: the cloud drops the older one"),
    Reason.NO_ANSWER: ("The network in between", "--timeout, if the line is slow"),
    Reason.NO_MESSAGE: ("The device policy's iot:Receive on the device's own topic",),
    Reason.ALLOWED: ("The device policy is too wide: docs/verify.md has one that is not",),
    Reason.UNDECIDED: ("Verify again: the cloud neither allowed nor refused it",),
}


def look_at(reason: str) -> tuple[str, ...]:
    """
    Return where to look, the likeliest first.
    """
    return _LOOK_AT.get(reason, ())


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
