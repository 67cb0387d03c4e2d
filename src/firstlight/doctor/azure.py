"""
Diagnose one device on Azure: read the deployment, look at the endpoint, let the device try, look for every cause.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from firstlight.doctor.azure_case import AzureCase, Told
from firstlight.doctor.azure_causes import CAUSES
from firstlight.doctor.azure_gathering import Site, gather
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Connection, Diagnosis
from firstlight.doctor.examination import examine
from firstlight.verify.azure_checks import ONLINE, AzureChecks
from firstlight.verify.azure_target import PORT, AzureTarget, Papers
from firstlight.verify.reach import look
from firstlight.verify.report import Outcome

# Seconds a look at an endpoint may take for each of its steps.
_LOOK = 5.0
_CHECKS = AzureChecks(wanted=(ONLINE,), must_fail=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    What lets the device itself try: what it shows, and how long it may take (seconds).

    `watch` hears a line for each connect that failed.
    """

    papers: Papers
    timeout: float
    watch: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Door:
    endpoint: str
    ca_pem: bytes | None
    port: int = PORT
    protocols: list[str] = field(default_factory=list)


def diagnose(
    site: Site,
    device: Device,
    told: Told,
    *,
    ca_pem: bytes | None = None,
    proxy: tuple[str, int] | None = None,
    attempt: Attempt | None = None,
) -> Diagnosis:
    """
    Return what stands between *device*, *told* where to connect, and the hub of *site*.

    *ca_pem* is who may have signed the servers' certificates, None for the system's store; *proxy* the host and
    port of an HTTP proxy.  With *attempt* the device registers, if it is to, and connects.

    Raises:
        UsageError: the SDK cannot use the certificate or the key.
    """
    case = gather(site, device, told)
    door = _Door(case.host, ca_pem)
    case = replace(case, unreachable=look(door, _LOOK, proxy) if case.host else None)
    if attempt is None or not case.host or case.unreachable is not None:
        return _examined(case)
    scope = case.told.id_scope or (case.dps.known.id_scope if case.dps.known else "")
    target = AzureTarget(
        papers=attempt.papers,
        name=case.name,
        id_scope=scope if case.through_dps else "",
        hub="" if case.through_dps else case.host,
        provisioning_host=told.provisioning_host,
        ca_pem=ca_pem,
        proxy=proxy,
    )
    connection = _tried(target, device, attempt)
    if case.through_dps:
        # the registration may have changed what the hub knows
        case = replace(gather(site, device, told), through_dps=True, name=case.name)
    return _examined(replace(case, connection=connection))


def _examined(case: AzureCase) -> Diagnosis:
    return examine(
        case,
        CAUSES,
        cloud="azure",
        device=case.name,
        certificate=case.device.certificate.fingerprint,
        connection=case.connection,
    )


def _tried(target: AzureTarget, device: Device, attempt: Attempt) -> Connection:
    from firstlight.verify.azure import verify_device  # noqa: PLC0415 -- an extra that may not be installed

    report = asyncio.run(
        verify_device(target, now=device.now, checks=_CHECKS, timeout=attempt.timeout, watch=attempt.watch)
    )
    failed = next((check for check in report.checks if check.outcome is not Outcome.PASSED), None)
    last = failed or report.checks[-1]
    return Connection(failed is None, last.reason, last.detail)
