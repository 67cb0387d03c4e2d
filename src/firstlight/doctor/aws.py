"""
Diagnose one device on AWS: look at the endpoint, read the registry, let the device try, look for every cause.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from firstlight.doctor.aws_case import AwsCase, Where
from firstlight.doctor.aws_causes import CAUSES
from firstlight.doctor.aws_gathering import AwsClients, gather
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection, Diagnosis
from firstlight.doctor.examination import examine
from firstlight.verify.checks import Checks
from firstlight.verify.reach import look
from firstlight.verify.report import MqttVersion, Outcome
from firstlight.verify.target import Target

# Seconds a look at an endpoint may take for each of its steps.
_LOOK = 5.0
_CHECKS = Checks(versions=(MqttVersion.V5,), must_fail=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    What lets the device itself try: the PEM of what it shows and of its key, and how long it may take (seconds).

    `watch` hears a line for each connect that failed.
    """

    cert_pem: bytes
    key_pem: bytes
    timeout: float
    watch: Callable[[str], None] = lambda _: None


def diagnose(
    clients: AwsClients,
    device: Device,
    *,
    endpoint: str = "",
    port: int = 8883,
    ca_pem: bytes | None = None,
    attempt: Attempt | None = None,
) -> Diagnosis:
    """
    Return what stands between *device* and AWS IoT in the clients' region.

    *endpoint* is the host the device dials, by default the account's; *ca_pem* who may have signed its
    certificate, None for the system's store.  With *attempt* the device connects, and if nobody knows it yet,
    that is its first connect: it is provisioned.

    Raises:
        UsageError: the SDK cannot use the certificate or the key.
    """
    case = gather(clients, device, Where(host=endpoint, port=port))
    host = endpoint or (case.account_endpoint.known or "")
    where = Where(host=host, port=port)
    target = Target(endpoint=host, port=port, cert_pem=b"", key_pem=b"", client_id="", ca_pem=ca_pem)
    where = replace(where, unreachable=look(target, _LOOK) if host else None)
    connection = None
    if attempt is not None and host and where.unreachable is None:
        connection = _tried(
            replace(target, client_id=case.name, cert_pem=attempt.cert_pem, key_pem=attempt.key_pem), attempt
        )
    # a first connect changes what is registered
    changed = connection is not None and not case.registered.unread and case.is_newcomer
    case = gather(clients, device, where, connection=connection) if changed else case
    return _examined(replace(case, where=where, connection=connection))


def _examined(case: AwsCase) -> Diagnosis:
    return examine(
        case,
        CAUSES,
        cloud="aws",
        device=case.name,
        certificate=case.device.certificate.fingerprint,
        connection=case.connection,
    )


def _tried(target: Target, attempt: Attempt) -> Connection:
    from firstlight.verify.aws import verify_device  # noqa: PLC0415 -- an extra that may not be installed

    report = asyncio.run(verify_device(target, checks=_CHECKS, timeout=attempt.timeout, watch=attempt.watch))
    online = report.checks[0]
    return Connection(online.outcome is Outcome.PASSED, online.reason, online.detail)
