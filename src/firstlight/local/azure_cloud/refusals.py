"""
Why IoT Hub or DPS does not let a device in: the clouds say "not authorized", a laptop says which.
"""

from enum import StrEnum


class Why(StrEnum):
    """
    Stable, for machines; the `reason` of every `SessionError` that is raised in deciding about a device.
    """

    HOST = "host-unknown"
    SERVER_NAME = "server-name-differs"
    USERNAME = "username"
    CERTIFICATE = "certificate-unusable"
    DATES = "out-of-date"
    UNKNOWN = "device-unknown"
    CASE = "case-differs"
    DISABLED = "disabled"
    KIND = "authenticates-otherwise"
    THUMBPRINT = "thumbprint-differs"
    COMMON_NAME = "common-name-differs"
    CHAIN = "chain-incomplete"
    CA_UNKNOWN = "ca-unknown"
    CA_UNVERIFIED = "ca-unverified"
    ENROLLMENT = "no-enrollment"
    NO_HUB = "no-hub"
    # of a device that is in
    OFFLINE = "offline"
    NO_ANSWER = "no-answer"
    QUEUE_FULL = "queue-full"
