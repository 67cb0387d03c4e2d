"""
How one call to AWS IoT is repeated, against answers that a script gives.
"""

import asyncio
from collections.abc import Callable

import pytest

from firstlight.errors import FirstlightError, RegistryError, SettingsError, ThrottledError
from firstlight.registries import aws_operations
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn
from firstlight.registries.aws_credentials import CredentialCache, Keys
from firstlight.registries.aws_operations import Call, Operation
from firstlight.registries.buckets import Buckets
from firstlight.registries.pacing import Window
from firstlight.registries.quotas import Pacing
from firstlight.registries.sigv4 import Credentials
from tests.faults import virtual_time
from tests.stopped_clock import StoppedClock

CALL = aws_operations.describe_thing("t")
QUICK = Patience(attempt=1, base=0.0001, longest=0.0001, failures=3)


def _answer(status: int, code: str = "") -> Answer:
    return Answer(Operation.DESCRIBE_THING, status, code, b"{}")


OK = _answer(200)
THROTTLED = _answer(400, "ThrottlingException")
FAILED = _answer(500, "InternalFailureException")
EXPIRED = _answer(403, "ExpiredTokenException")
STALE = Answer.unreachable(Operation.DESCRIBE_THING, stale=True)


class Script:
    """
    A transport that gives the answers of a list, and the last one again and again.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.signed_with: list[str] = []

    async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
        self.signed_with.append(credentials.access_key)
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _keys() -> Keys:
    return Keys("first", "secret")


def _called(
    script: Script,
    *,
    seconds: float = 5,
    patience: Patience = QUICK,
    provider: Callable[[], Credentials] = _keys,
    window: Window | None = None,
) -> tuple[Answer | FirstlightError, Turn]:
    async def call() -> tuple[Answer | FirstlightError, Turn]:
        turn = Turn(asyncio.get_running_loop().time() + seconds)
        calls = AwsCalls(script, CredentialCache(provider), patience, window, Buckets(Pacing()))
        try:
            return await calls(CALL, turn), turn
        except FirstlightError as e:
            return e, turn

    return virtual_time.run(call())


@pytest.mark.parametrize(
    "answer", [OK, _answer(404, "ResourceNotFoundException"), _answer(403, "AccessDeniedException")], ids=str
)
def test_the_last_word_is_not_asked_for_again(answer: Answer) -> None:
    """
    Success and refusal alike: one call.
    """
    script = Script(answer)

    assert answer == _called(script)[0]
    assert 1 == len(script.signed_with)


def test_throttling_is_repeated_however_often() -> None:
    """
    Throttling is no failure; the deadline ends it, not a count.
    """
    answer, turn = _called(Script(*[THROTTLED] * 20, OK))

    assert (OK, 20) == (answer, turn.throttled)


def test_without_buckets_throttling_is_repeated_after_a_pause() -> None:
    """
    For services whose quotas are not ours to count.
    """

    async def call() -> tuple[Answer, int]:
        turn = Turn(asyncio.get_running_loop().time() + 5)
        return await AwsCalls(Script(*[THROTTLED] * 20, OK), CredentialCache(_keys), QUICK)(CALL, turn), turn.throttled

    assert (OK, 20) == virtual_time.run(call())


def test_throttling_until_the_deadline_is_said_so() -> None:
    """
    Also when the deadline cuts the last attempt short.
    """
    late = Answer.timed_out(Operation.DESCRIBE_THING)

    for script in (Script(THROTTLED), Script(THROTTLED, late)):
        error, _ = _called(script, seconds=0.02, patience=Patience(base=0.0001, longest=0.0001, failures=10**9))

        assert isinstance(error, ThrottledError)


def test_failing_too_often_is_an_error_that_says_where() -> None:
    """
    A cloud that is down does not hold the push until its deadline.
    """
    script = Script(FAILED)

    error, _ = _called(script)

    assert isinstance(error, RegistryError)
    assert "AWS IoT failed at DescribeThing with InternalFailureException" in error.message
    assert 3 == len(script.signed_with)


def test_throttling_narrows_the_window_and_failing_does_not() -> None:
    """
    Fewer at once help against the one only.
    """
    for answer, narrower in ((THROTTLED, True), (FAILED, False)):
        window = Window(64)
        before = window.size

        _called(Script(answer, OK), window=window)

        assert narrower == (window.size < before)


def test_a_stale_connection_is_tried_again_at_once() -> None:
    """
    Without the pause that anything else is given.
    """
    slow = Patience(attempt=1, base=1000, longest=1000, failures=3)

    assert OK == _called(Script(STALE, OK), patience=slow)[0]


def test_expired_credentials_are_renewed_once_they_can_be() -> None:
    """
    Whoever renews them may be a moment late, and is asked once a second, not with every call.
    """
    issued = iter(["first", "second", "third"])
    signed_with = []

    async def run() -> Answer:
        clock = StoppedClock()

        class Expiring(Script):
            async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
                signed_with.append(credentials.access_key)
                if credentials.access_key == "third":
                    return OK
                clock.now += 0.4
                return EXPIRED

        cache = CredentialCache(lambda: Keys(next(issued), "secret"))
        calls = AwsCalls(Expiring(), cache, Patience(base=0, failures=9))
        return await calls(CALL, Turn(clock.now + 25))

    assert OK == asyncio.run(run())
    assert ["first"] * 3 + ["second"] * 3 + ["third"] == signed_with


@pytest.mark.parametrize(("attempt", "ends"), [(5, [5, 10, 12]), (60, [12])])
def test_no_attempt_outlasts_the_deadline(attempt: float, ends: list[float]) -> None:
    """
    A call that hangs is given up after its time, or when the device's is over.
    """

    async def run() -> list[float]:
        clock, given_up = StoppedClock(0), []

        class Hanging(Script):
            async def send(self, call: Call, credentials: Credentials, *, until: float) -> Answer:
                given_up.append(until)
                clock.now = until
                return Answer.timed_out(call.operation)

        calls = AwsCalls(Hanging(), CredentialCache(_keys), Patience(attempt=attempt, base=0))
        with pytest.raises(RegistryError, match="AWS IoT did not answer DescribeThing in time"):
            await calls(CALL, Turn(12))
        return given_up

    assert ends == asyncio.run(run())


def test_credentials_that_stay_expired_are_an_error() -> None:
    """
    It says whose, and what to do.
    """
    error, _ = _called(Script(EXPIRED))

    assert isinstance(error, RegistryError)
    assert "the AWS credentials of this endpoint have expired" in error.message


def test_a_provider_that_has_no_credentials_is_an_error() -> None:
    """
    In its own words.
    """

    def provider() -> Keys:
        raise SettingsError("Not set: AWS_ACCESS_KEY_ID.")

    error, _ = _called(Script(OK), provider=provider)

    assert isinstance(error, SettingsError)


def test_credentials_are_asked_for_once_not_for_every_call() -> None:
    """
    A provider may be slow.
    """
    asked = []

    def provider() -> Keys:
        asked.append(1)
        return _keys()

    _called(Script(*[THROTTLED] * 10, OK), provider=provider)

    assert [1] == asked


def test_pauses_grow_are_random_and_end_at_the_longest() -> None:
    """
    Full jitter: anything from nothing to the bound.
    """
    patience = Patience(base=0.1, longest=2.0)
    pauses = [[patience.pause(n) for _ in range(200)] for n in range(8)]

    assert all(0 <= p <= min(2.0, 0.1 * 2**n) for n, some in enumerate(pauses) for p in some)
    assert max(pauses[7]) > max(pauses[0])
    assert len(set(pauses[7])) > 100
