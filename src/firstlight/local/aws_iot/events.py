"""
What AWS IoT itself publishes about certificates.
"""

import json
from datetime import datetime

from firstlight.local.aws_iot.registry import PENDING, Issuer, RegisteredCertificate
from firstlight.local.mqtt import Message


def registered(
    certificate_id: str, issuer: Issuer, known: RegisteredCertificate | None, *, account: str, now: datetime
) -> Message:
    """
    Return the event of a certificate that is PENDING_ACTIVATION: registered just now, or presented once more.

    *known* is None on the connect that registers it; only then the event has no registration time.  Source: AWS
    IoT developer guide, "Register a client certificate when the client connects (just-in-time registration)".
    """
    payload = {
        "certificateId": certificate_id,
        "caCertificateId": issuer.id,
        "timestamp": int(now.timestamp() * 1000),
        "certificateStatus": PENDING,
        "awsAccountId": account,
        "certificateRegistrationTimestamp": str(known.created_ms) if known else None,
    }
    return Message(f"$aws/events/certificates/registered/{issuer.id}", json.dumps(payload).encode("ascii"), qos=1)
