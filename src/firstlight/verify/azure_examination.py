"""
Examine one device on Azure: provisioned, online, talking; then what must fail.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from firstlight.errors import SessionError
from firstlight.verify import azure_checks as checks
from firstlight.verify.azure_advice import LOOK_AT
from firstlight.verify.azure_checks import AzureChecks, Step
from firstlight.verify.azure_reasons import hub_refused
from firstlight.verify.azure_registering import Assigned
from firstlight.verify.azure_service import Service, explained
from firstlight.verify.azure_session import HubSession
from firstlight.verify.azure_steps import perform
from firstlight.verify.azure_target import AzureTarget, Papers
from firstlight.verify.checks import other_than
from firstlight.verify.notebook import Notebook
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Attempt, Check, MqttVersion, Outcome
from firstlight.verify.retry import Pace, Timing, persist

T = TypeVar("T")
Register = Callable[[str, Papers], Awaitable[Assigned]]
Dial = Callable[[str, str, Papers], HubSession]

V = MqttVersion.V311
# What time may mend: not what the cloud said no to, it said so about this certificate.
_PASSING = frozenset({Reason.CLOSED, Reason.NO_ANSWER, Reason.CUT, Reason.UNREACHABLE})
_DENIED = frozenset(
    {
        Reason.REFUSED_CREDENTIALS,
        Reason.REGISTRATION,
        Reason.COMMON_NAME,
        Reason.CASE,
        Reason.CHAIN,
        Reason.CA,
        Reason.THUMBPRINT,
        Reason.DISABLED,
        Reason.UNKNOWN_DEVICE,
        Reason.ID_SCOPE,
    }
)


@dataclass(kw_only=True)
class AzureExamination:
    """
    One device's examination; run it once.

    *register* and *dial* reach the cloud; *look* says what keeps any device from reaching a host, or None.
    *service* is the hub's own side, if there is one to ask.
    """

    target: AzureTarget
    register: Register
    dial: Dial
    look: Callable[[str], Awaitable[SessionError | None]]
    service: Service | None
    checks: AzureChecks
    timeout: float
    answer: float
    pace: Pace
    timing: Timing
    now: datetime
    watch: Callable[[str], None]
    assigned: Assigned | None = None
    _notes: Notebook = field(init=False)

    def __post_init__(self) -> None:
        self._notes = Notebook(self.timing.clock, LOOK_AT)

    async def run(self) -> tuple[Check, ...]:
        """
        Return every check, in order.  SessionError never leaves here.
        """
        through_dps = bool(self.target.id_scope)
        until = self.timing.clock() + self.timeout
        results: list[Check] = []
        if through_dps:
            results.append(await self._registered(until))
        else:
            self.assigned = Assigned(self.target.hub, self.target.name)
        forbidden = self.checks.forbidden(through_dps=through_dps)
        if self.assigned is None:
            later = (*self.checks.wanted, *forbidden)
            return (*results, *self._notes.not_run(later, V, "the device was not provisioned"))
        wanted = await self._wanted(self.assigned, until)
        results += wanted
        if wanted[0].outcome is not Outcome.PASSED:
            return (*results, *self._notes.not_run(forbidden, V, "the device did not come online"))
        for check in forbidden:
            results.append(await self._forbidden(check, self.assigned))
        return tuple(results)

    async def _registered(self, until: float) -> Check:
        began, attempts = self.timing.clock(), list[Attempt]()
        try:
            self.assigned = await self._persist(
                lambda: self.register(self.target.name, self.target.papers), self.target.host, until, attempts
            )
        except SessionError as e:
            return self._notes.failed(checks.REGISTERED, V, began, e, attempts)
        how = f"{self.assigned.device_id} at {self.assigned.hub}"
        return self._notes.passed(checks.REGISTERED, V, began, how, attempts)

    async def _wanted(self, at: Assigned, until: float) -> list[Check]:
        began, attempts = self.timing.clock(), list[Attempt]()
        steps = self.checks.wanted
        session: HubSession | None = None
        try:
            session = await self._online(at, until, attempts)
            done = [self._notes.passed(steps[0], V, began, _how(attempts), attempts)]
            # one after the other, on this connection
            done += [await perform(s, session, self.service, self._notes, seconds=self.answer) for s in steps[1:]]
        except SessionError as e:
            error = await self._why(e, at)
            rest = self._notes.not_run(steps[1:], V, "online failed")
            return [self._notes.failed(steps[0], V, began, error, attempts), *rest]
        finally:
            if session is not None:
                await session.close()
        return done

    async def _online(self, at: Assigned, until: float, attempts: list[Attempt]) -> HubSession:
        async def attempt() -> HubSession:
            session = self.dial(at.hub, at.device_id, self.target.papers)
            try:
                await session.open()
            except BaseException:  # also when cancelled: no connection is left behind
                await session.close()
                raise
            return session

        return await self._persist(attempt, at.hub, until, attempts)

    async def _persist(
        self, attempt: Callable[[], Awaitable[T]], host: str, until: float, attempts: list[Attempt]
    ) -> T:
        blocked = await self.look(host)
        if blocked is not None:
            raise blocked

        def record(made: Attempt) -> None:
            attempts.append(made)
            if made.reason:
                self.watch(f"{host}, attempt {len(attempts)}: {made.detail}")

        return await persist(attempt, until=until, pace=self.pace, timing=self.timing, record=record, passing=_PASSING)

    async def _why(self, error: SessionError, at: Assigned) -> SessionError:
        if error.reason != Reason.REFUSED_CREDENTIALS:
            return error
        chain = self.target.papers.chain
        if self.service is not None:
            return await explained(error, self.service, at.hub, at.device_id, chain)
        return hub_refused(error, device_id=at.device_id, assigned=bool(self.target.id_scope), leaf=chain[0])

    async def _forbidden(self, check: Step, at: Assigned) -> Check:
        began = self.timing.clock()
        try:
            aim = await self._try(check, at)
        except SessionError as e:
            if e.reason in _DENIED:
                return self._notes.passed(check, V, began, e.message)
            error = SessionError(f"could not be tried: {e.message}", reason=Reason.UNDECIDED)
        else:
            error = SessionError(f"{aim}: the cloud allowed it", reason=Reason.ALLOWED)
        return self._notes.failed(check, V, began, error)

    async def _try(self, check: Step, at: Assigned) -> str:
        """
        Do what *check* forbids; return what was allowed.
        """
        papers, name = self.target.papers, self.target.name
        if check is checks.OTHER_DEVICE:
            return await self._knock(at.hub, other_than(at.device_id), papers)
        if check is checks.FORGED:
            return await self._knock(at.hub, at.device_id, papers.forge(at.device_id, self.now))
        if check is checks.OTHER_REGISTRATION:
            return (await self.register(other_than(name), papers)).device_id
        if check is checks.FORGED_REGISTRATION:
            return (await self.register(name, papers.forge(name, self.now))).device_id
        return (await self.register(name, papers.leaf_alone)).device_id

    async def _knock(self, hub: str, device_id: str, papers: Papers) -> str:
        session = self.dial(hub, device_id, papers)
        try:
            await session.open()
        finally:
            await session.close()
        return device_id


def _how(attempts: list[Attempt]) -> str:
    if len(attempts) == 1:
        return "at once"
    return f"on attempt {len(attempts)}, after {attempts[-1].at:.1f} s; the first: {attempts[0].detail}"
