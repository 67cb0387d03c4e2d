"""
Verify devices against Azure IoT Hub and DPS, or what stands in for them, with the vendor's device SDK.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from firstlight.errors import SessionError, UsageError
from firstlight.verify.azure_checks import EVERYTHING, AzureChecks
from firstlight.verify.azure_examination import AzureExamination
from firstlight.verify.azure_registering import POLL, Assigned, register
from firstlight.verify.azure_sdk import DeviceSdk, collect, in_thread
from firstlight.verify.azure_service import Service
from firstlight.verify.azure_session import HubSession
from firstlight.verify.azure_target import PORT, AzureTarget, Papers
from firstlight.verify.reach import look
from firstlight.verify.reasons import CERTAIN, TRUST
from firstlight.verify.report import Report
from firstlight.verify.retry import CLOUD, LAPTOP, Pace, Timing

# The SDK waits with select(): beyond about 180 connections in a process everything stands still.
MOST_AT_ONCE = 150
# Seconds an answer may take.
_ANSWER = 10.0
_COLLECTED = 64


async def verify_device(
    target: AzureTarget,
    *,
    now: datetime,
    checks: AzureChecks = EVERYTHING,
    service: Service | None = None,
    timeout: float = 60.0,  # noqa: ASYNC109 -- how long a device may take to come online, not this call
    watch: Callable[[str], None] = lambda _: None,
) -> Report:
    """
    Return the report of one device, which must come online within *timeout* seconds.

    *service* is the hub's own side, for what needs it.  *watch* is told, in a line each, what goes
    wrong on the way.

    Raises:
        UsageError: the SDK cannot use the target's certificate, key or CA.
    """
    reports = await verify_many([target], now=now, checks=checks, service=service, timeout=timeout, watch=watch)
    return reports[0]


async def verify_many(
    targets: Iterable[AzureTarget],
    *,
    now: datetime,
    checks: AzureChecks = EVERYTHING,
    service: Service | None = None,
    timeout: float = 60.0,  # noqa: ASYNC109 -- as above
    concurrency: int = 32,
    watch: Callable[[str], None] = lambda _: None,
    finished: Callable[[Report], None] = lambda _: None,
) -> list[Report]:
    """
    Return the reports of *targets*, in their order, *concurrency* devices at a time.

    *finished* is told each report when it is there.  Nothing of the SDK is left when this returns.

    Raises:
        UsageError: as above, or *concurrency* is more than the SDK can do.
    """
    if concurrency > MOST_AT_ONCE:
        raise UsageError(
            f"{concurrency} devices at a time are more than the device SDK can do in one process.",
            hint=f"{MOST_AT_ONCE} at the most; run several processes for more.",
        )
    turn = asyncio.Semaphore(concurrency)
    async with DeviceSdk() as sdk:
        bench = _Bench(sdk, checks, service, timeout, now, watch)

        async def verify(target: AzureTarget) -> Report:
            async with turn:
                report = await bench.verify(target)
                bench.tidy()
            finished(report)
            return report

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(verify(target)) for target in targets]
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class _Door:
    endpoint: str
    ca_pem: bytes | None
    port: int = PORT
    protocols: list[str] = field(default_factory=list)


@dataclass
class _Bench:
    """
    What the devices of one call share.
    """

    sdk: DeviceSdk
    checks: AzureChecks
    service: Service | None
    timeout: float
    now: datetime
    watch: Callable[[str], None]
    _looks: dict[tuple[object, ...], "asyncio.Task[SessionError | None]"] = field(default_factory=dict)
    _done: int = 0

    async def verify(self, target: AzureTarget) -> Report:
        clock = asyncio.get_running_loop().time
        began, answer = clock(), min(self.timeout, _ANSWER)

        def dial(hub: str, device_id: str, papers: Papers) -> HubSession:
            return HubSession(target, hub=hub, device_id=device_id, papers=papers, seconds=answer)

        async def registered(registration_id: str, papers: Papers) -> Assigned:
            return await register(self.sdk, target, registration_id, papers, seconds=answer + POLL)

        examination = AzureExamination(
            target=target,
            register=registered,
            dial=dial,
            look=lambda host: self._look(target, host, answer),
            service=self.service,
            checks=self.checks,
            timeout=self.timeout,
            answer=answer,
            pace=_pace(target),
            timing=Timing(clock, asyncio.sleep, random.random),
            now=self.now,
            watch=self.watch,
        )
        checks = await examination.run()
        assigned = examination.assigned
        return Report(
            endpoint=assigned.hub if assigned else target.host,
            port=PORT,
            client_id=assigned.device_id if assigned else target.name,
            certificate=target.papers.chain[0].fingerprint,
            checks=checks,
            seconds=clock() - began,
        )

    def tidy(self) -> None:
        """
        Another device is done.  select() takes no descriptor above 1,023, and every device leaves two behind.
        """
        self._done += 1
        if self._done % _COLLECTED == 0:
            collect()

    async def _look(self, target: AzureTarget, host: str, seconds: float) -> SessionError | None:
        # once for all devices of a host
        key = (host, target.ca_pem, target.proxy)
        if key not in self._looks:
            door = _Door(host, target.ca_pem)
            work = in_thread(look, door, seconds, target.proxy, seconds=3 * seconds)
            self._looks[key] = asyncio.create_task(work)
        found = await asyncio.shield(self._looks[key])
        return found if found is not None and found.reason in CERTAIN | TRUST else None


def _pace(target: AzureTarget) -> Pace:
    return LAPTOP if target.proxy else CLOUD
