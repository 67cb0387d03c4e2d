"""
Reason codes of MQTT 5 (section 2.4) that a front door answers, and the return codes of 3.1.1.
"""

from enum import IntEnum


class Reason(IntEnum):
    """
    Why, in one byte.  Below 0x80 is success.
    """

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    WITH_WILL = 0x04
    NO_SUBSCRIPTION_EXISTED = 0x11
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_VERSION = 0x84
    CLIENT_ID_NOT_VALID = 0x85
    NOT_AUTHORIZED = 0x87
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    QOS_NOT_SUPPORTED = 0x9B
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1


# What a 3.1.1 client may be told in CONNACK; every other refusal only closes the connection.
RETURN_CODES_311 = {Reason.UNSUPPORTED_VERSION: 0x01, Reason.CLIENT_ID_NOT_VALID: 0x02, Reason.NOT_AUTHORIZED: 0x05}
# SUBACK of 3.1.1 knows one failure.
SUBACK_FAILURE_311 = 0x80
