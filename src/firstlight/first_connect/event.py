"""
The event AWS IoT publishes for a certificate it registered by itself, and again whenever that is presented.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstlight.errors import RequestError

# Both kinds of events are here, at least once each and in no order.
TOPIC_FILTER = "$aws/events/certificates/registered/+"
PENDING = "PENDING_ACTIVATION"
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Registered:
    """
    One connect of a certificate that is PENDING_ACTIVATION; `timestamp` is in milliseconds since the epoch.
    """

    certificate_id: str
    ca_id: str
    timestamp: int


def read(event: Mapping[str, Any]) -> Registered:
    """
    Return what *event*, the event's payload, says.

    Source: AWS IoT developer guide, "Register a client certificate when the client connects to AWS IoT just-in-time
    registration (JITR)".

    Raises:
        RequestError: it is no such event.
    """
    certificate_id, ca_id = event.get("certificateId"), event.get("caCertificateId")
    timestamp = _milliseconds(event.get("timestamp"))
    is_pending = event.get("certificateStatus") == PENDING
    if timestamp is None or not (_is_id(certificate_id) and _is_id(ca_id) and is_pending):
        raise RequestError("The event is not that of a certificate that AWS IoT registered by itself.")
    return Registered(str(certificate_id), str(ca_id), timestamp)


def _milliseconds(value: Any) -> int | None:
    # The guide shows it without saying its type; it only tells one connect from another.
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
