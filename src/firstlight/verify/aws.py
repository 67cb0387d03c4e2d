"""
Verify devices against AWS IoT, or what stands in for it, with the vendor's device SDK.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from firstlight.errors import SessionError
from firstlight.verify.checks import EVERYTHING, FIRST_LIGHT, Checks
from firstlight.verify.examination import Examination
from firstlight.verify.mqtt5 import Mqtt5Session
from firstlight.verify.mqtt311 import Mqtt311Session
from firstlight.verify.reach import look
from firstlight.verify.reasons import CERTAIN, TRUST
from firstlight.verify.report import MqttVersion, Report
from firstlight.verify.retry import Pace, Timing
from firstlight.verify.sdk import DeviceSdk
from firstlight.verify.session import Session
from firstlight.verify.target import Target

# Seconds an answer may take; of a server we do not trust, the SDK tells nothing for 10 to 30.
_ANSWER = 10.0
_DISTRUST = 3.0
_SESSIONS: dict[MqttVersion, type[Mqtt5Session | Mqtt311Session]] = {
    MqttVersion.V5: Mqtt5Session,
    MqttVersion.V311: Mqtt311Session,
}


async def verify_device(
    target: Target,
    *,
    checks: Checks = EVERYTHING,
    timeout: float = 60.0,  # noqa: ASYNC109 -- how long a device may take to come online, not this call
    pace: Pace | None = None,
    watch: Callable[[str], None] = lambda _: None,
) -> Report:
    """
    Return the report of one device, which must come online within *timeout* seconds.

    *pace* defaults to what suits the endpoint.  *watch* is told, in a line each, what goes wrong on the way.

    Raises:
        UsageError: the SDK cannot use the target's certificate, key or CA.
    """
    reports = await verify_many([target], checks=checks, timeout=timeout, pace=pace, watch=watch)
    return reports[0]


async def first_light(target: Target, *, timeout: float = 60.0) -> Report:  # noqa: ASYNC109 -- as above
    """
    Return the short report of one device: it connects, publishes and receives, in MQTT 5.
    """
    return await verify_device(target, checks=FIRST_LIGHT, timeout=timeout)


async def verify_many(
    targets: Iterable[Target],
    *,
    checks: Checks = EVERYTHING,
    timeout: float = 60.0,  # noqa: ASYNC109 -- as above
    concurrency: int = 32,
    pace: Pace | None = None,
    watch: Callable[[str], None] = lambda _: None,
    finished: Callable[[Report], None] = lambda _: None,
) -> list[Report]:
    """
    Return the reports of *targets*, in their order, *concurrency* devices at a time on one thread of the SDK.

    *finished* is told each report when it is there.  Nothing of the SDK is left when this returns.
    """
    turn = asyncio.Semaphore(concurrency)
    async with DeviceSdk() as sdk:
        bench = _Bench(sdk, checks, timeout, pace, watch)

        async def verify(target: Target) -> Report:
            async with turn:
                report = await bench.verify(target)
            finished(report)
            return report

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(verify(target)) for target in targets]
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        return [task.result() for task in tasks]


@dataclass
class _Bench:
    """
    What the devices of one call share.
    """

    sdk: DeviceSdk
    checks: Checks
    timeout: float
    pace: Pace | None
    watch: Callable[[str], None]
    _looks: dict[tuple[object, ...], "asyncio.Task[SessionError | None]"] = field(default_factory=dict)

    async def verify(self, target: Target) -> Report:
        clock = asyncio.get_running_loop().time
        began = clock()
        link = self.sdk.link(target)
        found = await self._look(target, min(self.timeout, _ANSWER))
        answer = min(self.timeout, _DISTRUST if found and found.reason in TRUST else _ANSWER)

        def dial(version: MqttVersion, client_id: str) -> Session:
            return _SESSIONS[version](link, client_id, answer)

        # the system's trust store is read by two libraries in two ways
        certain = found is not None and (
            found.reason in CERTAIN or (found.reason in TRUST and target.ca_pem is not None)
        )
        examination = Examination(
            client_id=target.client_id,
            dial=dial,
            blocked=found if certain else None,
            suspicion=None if certain else found,
            checks=self.checks,
            timeout=self.timeout,
            answer=answer,
            pace=self.pace or Pace.towards(target.endpoint),
            timing=Timing(clock, asyncio.sleep, random.random),
            watch=self.watch,
        )
        return Report(
            endpoint=target.endpoint,
            port=target.port,
            client_id=target.client_id,
            certificate=target.fingerprint,
            checks=await examination.run(),
            seconds=clock() - began,
        )

    async def _look(self, target: Target, seconds: float) -> SessionError | None:
        # once for all devices of an endpoint
        key = (target.endpoint, target.port, target.ca_pem, *target.protocols)
        if key not in self._looks:
            self._looks[key] = asyncio.create_task(asyncio.to_thread(look, target, seconds))
        return await asyncio.shield(self._looks[key])
