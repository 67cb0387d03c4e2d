"""
One run: everything of a plan in virtual time, then calm, a last push of everybody, and the audit.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from firstlight.endpoint import interop_from
from firstlight.identity import DeviceIdentity
from firstlight.interop import Interop
from tests.factory import at_noon
from tests.faults import people, plan, virtual_time
from tests.faults.aws_cloud import AwsCloud
from tests.faults.azure_cloud import AzureCloud
from tests.faults.cloud import Cloud
from tests.faults.plan import Case, Plan, Push, SwitchOff
from tests.faults.process import Death, Process
from tests.faults.pushing import Pushed, push
from tests.faults.weather import Weather
from tests.faults.wire import Wire

CLOUDS: dict[str, type[Cloud]] = {"aws": AwsCloud, "azure": AzureCloud}
# More than anything that is under way takes, and than any process remembers.
_CALM = 60.0


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
    wire = Wire(Weather(case.seed, drawn.faults, case.faults, drawn.tps), journal)
    state = random.getstate()
    # Back-off draws from the shared generator.
    random.seed(case.seed)
    world = CLOUDS[cloud](wire)
    this = _Run(world, drawn)
    try:
        with world.wired():
            virtual_time.run(this.everything())
    except virtual_time.Stuck as e:
        this.wrong.append(str(e))
    finally:
        random.setstate(state)
    return Report(this.wrong, wire.calls, wire.weather.injected, this.answers, journal or [])


@dataclass
class _Run:
    """
    The cloud, the processes that are alive, by number, and what was found.
    """

    cloud: Cloud
    plan: Plan
    processes: dict[int, tuple[Process, Interop]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._devices = people.devices(self.cloud.settings.rule)

    async def everything(self) -> None:
        for who, parts in self.plan.leftovers.items():
            self.cloud.leave(self._devices[who], parts)
        async with asyncio.TaskGroup() as group:
            for planned in self.plan.pushes:
                group.create_task(self._push(planned))
            for act in self.plan.acts:
                group.create_task(self._act(act))
        await self.cloud.wire.settled()
        self.cloud.wire.weather.calm()
        await asyncio.sleep(_CALM)
        everybody = [self._devices[who] for who in self.plan.devices]
        last = await self._pushed(*self._born("the last"), everybody, seconds=25.0)
        if last:
            self.wrong += self._final(last, everybody)
        else:
            self.wrong.append("the last push had no answer")
        self.wrong += self.cloud.half_made(everybody)

    async def _push(self, planned: Push) -> None:
        await asyncio.sleep(planned.at)
        devices = [self._devices[who] for who in planned.who]
        await self._pushed(*self._process(planned), devices, seconds=planned.seconds)

    async def _pushed(
        self, process: Process, interop: Interop, devices: list[DeviceIdentity], *, seconds: float
    ) -> Pushed | None:
        pushed = await push(self.cloud, interop, process, devices, seconds=seconds)
        if pushed is None:
            self.cloud.wire.weather.injected["killed"] += 1
        else:
            self.wrong += pushed.wrong
            self.answers.update(pushed.codes)
        return pushed

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
        for device, code in zip(everybody, last.codes, strict=True):
            is_off = device.fingerprint in self.cloud.off
            expected = {"inactive"} if is_off else {"ok"}
            if self.cloud.is_anothers(device):
                expected = {"name-taken"} | ({"inactive"} if is_off else set())
            if code not in expected:
                wrong.append(f"in the end {device.name} {device.fingerprint[:8]} is {code}, not {expected}")
        return wrong

    def _born(self, name: str) -> tuple[Process, Interop]:
        return Process(name), interop_from(self.cloud.settings, self.cloud.new_registry(), now=at_noon)
