"""
One run: everything of a plan in virtual time, then calm, a last push of everybody, and the audit.
"""

import asyncio
import logging
import random
from collections import Counter
from dataclasses import dataclass, field

from firstlight.endpoint import interop_from
from firstlight.identity import DeviceIdentity
from firstlight.interop import Interop
from tests.factory import at_noon
from tests.faults import people, plan, virtual_time
from tests.faults.at_least_once import Queue
from tests.faults.aws_cloud import AwsCloud
from tests.faults.azure_cloud import AzureCloud
from tests.faults.cloud import Cloud
from tests.faults.plan import Case, Plan, Push, SwitchOff
from tests.faults.process import Death, Process
from tests.faults.pushing import Pushed, ask, is_settled, push
from tests.faults.weather import Weather
from tests.faults.wire import Wire
from tests.faults.workers import Workers

CLOUDS: dict[str, type[Cloud]] = {"aws": AwsCloud, "azure": AzureCloud}
# More than anything that is under way takes, and than any process remembers.
_CALM = 60.0
# Within which workers are done in fine weather.
_DRAINING = 3600.0


@dataclass
class Report:
    """
    What a run found: `wrong` is empty when every promise was kept.
    """

    wrong: list[str]
    calls: int
    # Kind -> how often, killed processes included.
    faults: Counter[str]
    # The code of an answer to an entry, "ok" for SUCCESS -> how often.
    answers: Counter[str]
    journal: list[str]


def run(case: Case, cloud: str, *, keep_journal: bool = False) -> Report:
    """
    Run *case* on *cloud*, one of CLOUDS; the same case is the same run, call by call.
    """
    drawn = plan.drawn(case, cloud)
    journal: list[str] | None = [] if keep_journal else None
    spared = drawn.backlog.spared if drawn.backlog else ""
    wire = Wire(Weather(case.seed, drawn.faults, case.faults, drawn.tps, spares=spared), journal)
    state = random.getstate()
    # Back-off draws from the shared generator.
    random.seed(case.seed)
    # What is logged in thousands of runs nobody reads.
    unlogged = logging.root.manager.disable
    logging.disable()
    world = CLOUDS[cloud](wire, _queue(drawn, case, wire))
    this = _Run(world, drawn, case.seed)
    try:
        with world.wired():
            virtual_time.run(this.everything())
    except virtual_time.Stuck as e:
        this.wrong.append(str(e))
    finally:
        random.setstate(state)
        logging.disable(unlogged)
    return Report(this.wrong, wire.calls, wire.weather.injected, this.answers, journal or [])


@dataclass
class _Run:
    """
    The cloud, the processes that are alive, by number, and what was found.
    """

    cloud: Cloud
    plan: Plan
    seed: int
    processes: dict[int, tuple[Process, Interop]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    queued: dict[DeviceIdentity, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._devices = people.devices(self.cloud.settings.rule)

    async def everything(self) -> None:
        for who, parts in self.plan.leftovers.items():
            self.cloud.leave(self._devices[who], parts)
        workers = self._workers()
        working = asyncio.create_task(workers.run()) if workers else None
        async with asyncio.TaskGroup() as group:
            for planned in self.plan.pushes:
                group.create_task(self._push(planned))
            for act in self.plan.acts:
                group.create_task(self._act(act))
        if workers and working and self.plan.backlog:
            workers.is_over.set()
            # What is tardy may be a message.
            await self.cloud.wire.settled()
            await asyncio.wait([working], timeout=self.plan.backlog.bad_weather)
            self.cloud.wire.weather.calm()
            await asyncio.wait([working], timeout=_DRAINING)
            self.wrong += workers.wrong if working.done() else ["the queue is never worked off"]
            self.wrong += self._lost()
        await self.cloud.wire.settled()
        self.cloud.wire.weather.calm()
        await asyncio.sleep(_CALM)
        everybody = [self._devices[who] for who in self.plan.devices]
        process, interop = self._born("the last")
        last = await self._pushed(process, interop, everybody, seconds=25.0)
        if last:
            self.wrong += self._final(last, everybody)
        else:
            self.wrong.append("the last push had no answer")
        self.wrong += await ask(self.cloud, interop, process, everybody, is_calm=True)
        self.wrong += self.cloud.half_made(everybody)

    async def _push(self, planned: Push) -> None:
        await asyncio.sleep(planned.at)
        devices = [self._devices[who] for who in planned.who]
        process, interop = self._process(planned)
        await self._pushed(process, interop, devices, seconds=planned.seconds, later=planned.later)
        if planned.asks and not process.dead:
            self.wrong += await ask(self.cloud, interop, process, devices, is_calm=False)

    async def _pushed(
        self,
        process: Process,
        interop: Interop,
        devices: list[DeviceIdentity],
        *,
        seconds: float,
        later: bool = False,
    ) -> Pushed | None:
        pushed = await push(self.cloud, interop, process, devices, seconds=seconds, later=later)
        if pushed is None:
            self.cloud.wire.weather.injected["killed"] += 1
        else:
            self.wrong += pushed.wrong
            self.answers.update(pushed.codes)
            self.queued.update((d, None) for d, code in zip(devices, pushed.codes, strict=False) if code == "queued")
        return pushed

    def _workers(self) -> Workers | None:
        backlog = self.plan.backlog
        if backlog is None:
            return None
        return Workers(self.cloud, self.seed, backlog.at_once, backlog.seconds, backlog.mortality, backlog.own)

    def _lost(self) -> list[str]:
        """
        Say who was said to be queued, and is neither done nor where an operator looks.
        """
        carried = self.cloud.queue.pems()
        lost = [d for d in self.queued if d.pem not in carried and not is_settled(self.cloud, d)]
        return [f"{d.name} {d.fingerprint[:8]} was queued and is lost" for d in lost]

    def _process(self, planned: Push) -> tuple[Process, Interop]:
        """
        Return the process of that number; a new one if it is dead.
        """
        found = self.processes.get(planned.process)
        if found is None or found[0].dead:
            found = self.processes[planned.process] = self._born(f"process {planned.process}")
        process = found[0]
        if planned.death and process.death is None:
            process.death = Death(process.calls + planned.death.call, done=planned.death.done)
        return found

    async def _act(self, act: SwitchOff) -> None:
        await asyncio.sleep(act.at)
        self.cloud.switch_off(self._devices[act.who], act.status)

    def _final(self, last: Pushed, everybody: list[DeviceIdentity]) -> list[str]:
        """
        Say what is wrong with the last answer: who is not READY must be refused, with the right cause.
        """
        wrong = []
        # What fell over has no codes.
        for device, code in zip(everybody, last.codes, strict=False):
            is_off = device.fingerprint in self.cloud.off
            expected = {"inactive"} if is_off else {"ok"}
            if self.cloud.is_anothers(device):
                expected = {"name-taken"} | ({"inactive"} if is_off else set())
            if code not in expected:
                wrong.append(f"in the end {device.name} {device.fingerprint[:8]} is {code}, not {expected}")
        return wrong

    def _born(self, name: str) -> tuple[Process, Interop]:
        service = self.cloud.new_service(is_worker=False)
        interop = interop_from(
            self.cloud.settings,
            service.registry,
            now=at_noon,
            overflow=service.queue if self.plan.backlog else None,
            inspector=service.registry,
        )
        return Process(name, service=service), interop


def _queue(drawn: Plan, case: Case, wire: Wire) -> Queue:
    backlog = drawn.backlog
    if backlog is None:
        return Queue(case.seed)
    return Queue(
        case.seed,
        hidden=backlog.hidden,
        most=backlog.most,
        twice=backlog.twice,
        undeleted=backlog.undeleted,
        happened=lambda what: wire.weather.injected.update([what.partition(" is ")[2]]) or wire.remark(what),
    )
