"""
Examine one device: run the checks in order, over connections that somebody else makes.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from firstlight.errors import SessionError
from firstlight.verify.aws_advice import LOOK_AT
from firstlight.verify.checks import PAYLOAD, WANTED, Checks, Forbidden, Verb, own_topic
from firstlight.verify.notebook import Notebook
from firstlight.verify.reasons import BEFORE_MQTT, CONNECT_DENIED, DENIED, TRUST, Reason
from firstlight.verify.report import Attempt, Check, MqttVersion, Outcome
from firstlight.verify.retry import Pace, Timing, persist
from firstlight.verify.session import Session

Dial = Callable[[MqttVersion, str], Session]

# What the device SDK says when it does not trust the server, or keeps that to itself for a while.
_VAGUE = frozenset({Reason.TLS, Reason.NOT_TLS, Reason.NO_ANSWER})


@dataclass(kw_only=True)
class Examination:
    """
    One device's examination; run it once.

    *dial* makes an unopened session.  *blocked* is what keeps any device from reaching the cloud;
    *suspicion* only explains a failure, if there is one.  The device must be online within *timeout*
    seconds; a connection of a check that must fail has *answer* seconds.
    """

    client_id: str
    dial: Dial
    blocked: SessionError | None
    suspicion: SessionError | None
    checks: Checks
    timeout: float
    answer: float
    pace: Pace
    timing: Timing
    watch: Callable[[str], None]
    _connects: dict[str, float] = field(default_factory=dict)
    _notes: Notebook = field(init=False)

    def __post_init__(self) -> None:
        self._notes = Notebook(self.timing.clock, LOOK_AT)

    async def run(self) -> tuple[Check, ...]:
        """
        Return every check, in order.  SessionError never leaves here.
        """
        # a server that is not trusted will not be trusted later
        patience = 0 if self.suspicion is not None and self.suspicion.reason in TRUST else self.timeout
        until = self.timing.clock() + patience
        results: list[Check] = []
        for version in self.checks.versions:
            wanted = await self._wanted(version, until)
            online, subscribed = (check.outcome is Outcome.PASSED for check in wanted[:2])
            results += wanted
            if online:
                results += [
                    await self._forbidden(check, version, subscribed=subscribed) for check in self.checks.forbidden
                ]
            else:
                results += self._notes.not_run(self.checks.forbidden, version, "the device did not come online")
            if wanted[0].reason in BEFORE_MQTT:
                self.blocked = SessionError(wanted[0].detail, reason=wanted[0].reason)
        return tuple(results)

    async def _wanted(self, version: MqttVersion, until: float) -> list[Check]:
        done: list[Check] = []
        attempts: list[Attempt] = []
        began = self.timing.clock()
        try:
            if self.blocked is not None:
                raise self.blocked
            async with self._connected(version, self.client_id, until, attempts) as session:
                done.append(self._notes.passed(WANTED[0], version, began, _how(attempts), attempts))
                for wanted in WANTED[1:]:
                    began = self.timing.clock()
                    await _do(session, wanted.verb, own_topic(self.client_id))
                    done.append(self._notes.passed(wanted, version, began))
        except SessionError as e:
            tried = attempts if not done else []
            done.append(self._notes.failed(WANTED[len(done)], version, began, self._explained(e, tried), tried))
        return done + self._notes.not_run(WANTED[len(done) :], version, f"{done[-1].name} failed")

    async def _forbidden(self, check: Forbidden, version: MqttVersion, *, subscribed: bool) -> Check:
        began, attempts = self.timing.clock(), list[Attempt]()
        aim = check.aim(self.client_id)
        denials = CONNECT_DENIED if check.verb is Verb.CONNECT else DENIED
        try:
            if check.verb is Verb.CONNECT:
                async with self._connected(version, aim, began, attempts):
                    pass
            else:
                until = began + self.answer
                async with self._connected(version, self.client_id, until, attempts) as session:
                    await self._prove_alive(session, subscribed=subscribed)
                    await _do(session, check.verb, aim)
        except SessionError as e:
            if e.reason in denials:
                return self._notes.passed(check, version, began, f"{aim}: {_denial(e)}", attempts)
            error = SessionError(f"{aim}: could not be tried: {e.message}", reason=Reason.UNDECIDED)
        else:
            error = SessionError(f"{aim}: the cloud allowed it", reason=Reason.ALLOWED)
        return self._notes.failed(check, version, began, error, attempts)

    async def _prove_alive(self, session: Session, *, subscribed: bool) -> None:
        # MQTT 3.1.1 refuses by hanging up; a connection that was going anyway must not pass for a refusal
        if not subscribed:
            return
        try:
            await session.subscribe(own_topic(self.client_id))
        except SessionError as e:
            raise SessionError(f"its own topic failed first: {e.message}", reason=Reason.UNDECIDED) from e

    @asynccontextmanager
    async def _connected(
        self, version: MqttVersion, client_id: str, until: float, attempts: list[Attempt]
    ) -> AsyncIterator[Session]:
        async def attempt() -> Session:
            await self._keep_gap(client_id)
            session = self.dial(version, client_id)
            try:
                await session.open()
            except BaseException:  # also when cancelled: no connection is left behind
                await session.close()
                raise
            return session

        def record(made: Attempt) -> None:
            attempts.append(made)
            if made.reason:
                self.watch(f"MQTT {version}, {client_id}, attempt {len(attempts)}: {made.detail}")

        session = await persist(attempt, until=until, pace=self.pace, timing=self.timing, record=record)
        try:
            yield session
        finally:
            await session.close()

    async def _keep_gap(self, client_id: str) -> None:
        last = self._connects.get(client_id)
        if last is not None and (rest := last + self.pace.gap - self.timing.clock()) > 0:
            await self.timing.sleep(rest)
        self._connects[client_id] = self.timing.clock()

    def _explained(self, error: SessionError, attempts: list[Attempt]) -> SessionError:
        if self.suspicion is not None and error.reason in _VAGUE:
            return self.suspicion
        if len(attempts) > 1:
            return SessionError(
                f"{len(attempts)} attempts in {attempts[-1].at:.1f} s, the last: {error.message}", reason=error.reason
            )
        return error


async def _do(session: Session, verb: Verb, topic: str) -> None:
    match verb:
        case Verb.SUBSCRIBE:
            await session.subscribe(topic)
        case Verb.PUBLISH:
            await session.publish(topic, PAYLOAD)
        case Verb.RECEIVE:
            await session.receive(topic, PAYLOAD)
        case Verb.CONNECT:
            raise AssertionError("connecting makes the session, it happens on none")


def _denial(error: SessionError) -> str:
    # a device that is online has none of the other reasons to be closed
    return "closed by the cloud before CONNACK" if error.reason == Reason.CLOSED else error.message


def _how(attempts: list[Attempt]) -> str:
    if len(attempts) == 1:
        return "at once"
    first = attempts[0]
    how = (
        "was closed before CONNACK, as just-in-time provisioning does"
        if first.reason == Reason.CLOSED
        else first.detail
    )
    return f"on attempt {len(attempts)}, after {attempts[-1].at:.1f} s; the first {how}"
