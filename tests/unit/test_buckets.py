"""
One operation's token bucket, in virtual time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from firstlight.errors import SettingsError
from firstlight.registries import quotas
from firstlight.registries.aws_operations import Operation
from firstlight.registries.buckets import Bucket, Buckets
from firstlight.registries.quotas import DEFAULTS, Pacing
from tests.faults import virtual_time

# Where virtual time begins.
_BEGIN = 1000.0


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _took(bucket: Bucket, *, until: float = 1e9, again: bool = False) -> float:
    """
    Take a token, and tell the bucket that the cloud was content; return when.
    """
    if not bucket.taken_at_once(_now()):
        assert await bucket.take(until=until, again=again)
    bucket.accepted(_now())
    return _now()


def _times(bucket: Bucket, number: int) -> list[float]:
    async def run() -> list[float]:
        return [at - _BEGIN for at in await asyncio.gather(*(_took(bucket) for _ in range(number)))]

    return virtual_time.run(run())


def test_until_something_is_turned_away_nobody_waits() -> None:
    """
    A bucket that is not engaged costs a count.
    """
    assert {0.0} == set(_times(Bucket(start=10), 1000))


def test_an_engaged_bucket_doubles_every_second() -> None:
    """
    10 a second, then 20, then 40: (2**t - 1) / ln 2 times ten have had theirs after t seconds.
    """
    times = _times(Bucket(start=10, engaged=True), 1000)

    assert sorted(times) == times
    for seconds, tokens in ((1, 15), (2, 44), (3, 102), (4, 217)):
        assert tokens == pytest.approx(sum(t <= seconds for t in times), rel=0.1)


def test_the_highest_rate_is_kept_to() -> None:
    """
    However well it goes.
    """
    times = _times(Bucket(start=10, highest=10, engaged=True), 101)

    assert times[-1] == pytest.approx(10, rel=0.01)


def test_who_asks_first_is_first_but_for_those_turned_away() -> None:
    """
    Whoever AWS turned away has waited once already.
    """

    async def run() -> list[str]:
        bucket, order = Bucket(start=1, highest=1, engaged=True), list[str]()
        await _took(bucket)

        async def come(name: str, *, again: bool = False) -> None:
            assert await bucket.take(until=1e9, again=again)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in ("first", "second"):
                group.create_task(come(name))
            await asyncio.sleep(0.1)
            group.create_task(come("turned away", again=True))
        return order

    assert ["turned away", "first", "second"] == virtual_time.run(run())


def test_no_hope_is_said_at_once() -> None:
    """
    A token that would come after the deadline is not waited for; the growth that is to be expected counts.
    """

    async def run(bucket: Bucket) -> tuple[list[bool], float]:
        await _took(bucket)
        begun = [asyncio.create_task(bucket.take(until=_BEGIN + 5.05)) for _ in range(60)]
        await asyncio.sleep(0.001)
        refused = [task.result() for task in begun if task.done()]
        await asyncio.wait(begun)
        return [task.result() for task in begun], float(len(refused))

    steady, at_once = virtual_time.run(run(Bucket(start=10, highest=10, engaged=True)))
    growing, none = virtual_time.run(run(Bucket(start=10, engaged=True)))

    assert [True] * 50 + [False] * 10 == steady
    assert 10 == at_once
    assert all(growing)
    assert 0 == none


def test_a_deadline_ends_the_waiting_when_the_rate_falls_meanwhile() -> None:
    """
    What was promised was a guess.
    """

    async def run() -> tuple[bool, float]:
        bucket = Bucket(start=10, highest=10, engaged=True)
        await _took(bucket)
        waiting = [asyncio.create_task(bucket.take(until=_BEGIN + 1)) for _ in range(9)]
        await asyncio.sleep(0.05)
        bucket.turned_away(sent=_BEGIN + 0.04, now=_now())
        results = await asyncio.gather(*waiting)
        return all(results), _now()

    all_served, ended = virtual_time.run(run())

    assert not all_served
    assert _BEGIN + 1 == ended


def test_who_gives_up_takes_no_token_along() -> None:
    """
    Neither while waiting, nor in the very moment the token is there.
    """

    async def run() -> float:
        bucket = Bucket(start=1, highest=1, engaged=True)
        await _took(bucket)
        early, late, patient = (asyncio.create_task(bucket.take(until=1e9)) for _ in range(3))
        await asyncio.sleep(0.5)
        early.cancel()
        late.get_loop().call_at(_BEGIN + 1, late.cancel)
        await patient
        return _now()

    assert virtual_time.run(run()) <= _BEGIN + 2


def test_being_turned_away_engages_at_the_published_rate() -> None:
    """
    Or at what was really taken until then, if that is more.
    """

    async def run(before: int) -> float:
        bucket = Bucket(start=10)
        for _ in range(before):
            await _took(bucket)
            await asyncio.sleep(0.01)
        bucket.turned_away(sent=_now(), now=_now() + 0.01)
        assert bucket.engaged
        return bucket.rate

    assert 10 == virtual_time.run(run(0))
    assert 100 == pytest.approx(virtual_time.run(run(200)), rel=0.05)


def _shared(rates: list[float], *, quota: float, seconds: float) -> Coroutine[Any, Any, tuple[float, float]]:
    """
    Let a bucket of each of *rates* ask as often as it may of one cloud; return what it used and what was in vain.
    """

    async def run() -> tuple[float, float]:
        taken, vain, tokens, at = 0, 0, quota, _BEGIN

        async def ask(bucket: Bucket) -> None:
            nonlocal taken, vain, tokens, at
            again = False
            while _now() < _BEGIN + seconds:
                if not bucket.taken_at_once(_now()):
                    await bucket.take(until=1e9, again=again)
                sent = _now()
                await asyncio.sleep(0.02)
                tokens, at = min(quota, tokens + (_now() - at) * quota), _now()
                again = tokens < 1
                if again:
                    vain += 1
                    bucket.turned_away(sent=sent, now=_now())
                else:
                    tokens, taken = tokens - 1, taken + 1
                    bucket.accepted(_now())

        buckets = [Bucket(start=rate, engaged=True) for rate in rates]
        await asyncio.gather(*(ask(bucket) for bucket in buckets for _ in range(4)))
        return taken / (quota * seconds), vain / (taken + vain)

    return run()


@pytest.mark.parametrize(
    ("rates", "quota", "vain"),
    [
        ([10.0], 10.0, 0.04),
        # A rate as small as this is measured by a handful of calls.
        ([10.0], 2.0, 0.12),
        ([10.0, 10.0], 10.0, 0.07),
        ([10.0, 10.0], 100.0, 0.02),
        ([10.0] * 4, 40.0, 0.05),
    ],
)
def test_buckets_share_what_there_is(rates: list[float], quota: float, vain: float) -> None:
    """
    At least 95 % of the quota is used, and few calls are in vain, however many share it and wherever they began.
    """
    used, in_vain = virtual_time.run(_shared(rates, quota=quota, seconds=100))

    assert used >= 0.95
    assert in_vain <= vain


def test_every_operation_has_a_published_quota() -> None:
    """
    A new operation brings its own.
    """
    assert set(Operation) == set(DEFAULTS)
    buckets = Buckets(Pacing(eager=True))
    assert [DEFAULTS[o] for o in Operation] == [buckets[o].rate for o in Operation]
    assert not any(Buckets(Pacing())[o].engaged for o in Operation)


def test_the_operators_quotas_are_read() -> None:
    """
    As they stand in FIRSTLIGHT_QUOTAS; what they name is paced from the first call on.
    """
    given = quotas.parse(" RegisterCertificateWithoutCA=100, AttachPolicy = 37.5 ,")

    assert {Operation.REGISTER_CERTIFICATE: 100.0, Operation.ATTACH_POLICY: 37.5} == given
    assert {} == quotas.parse("")
    bucket = Buckets(Pacing(quotas=given))[Operation.ATTACH_POLICY]
    assert (True, 37.5) == (bucket.engaged, bucket.rate)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("CreateThing=100,AttachPolitely=3", "'AttachPolitely' is no operation"),
        ("CreateThing", "The quota of CreateThing is ''"),
        ("CreateThing=ten", "The quota of CreateThing is 'ten'"),
        ("CreateThing=0", "The quota of CreateThing is '0'"),
        ("CreateThing=-1", "The quota of CreateThing is '-1'"),
        ("CreateThing=inf", "The quota of CreateThing is 'inf'"),
        ("CreateThing=nan", "The quota of CreateThing is 'nan'"),
        ("CreateThing=1,CreateThing=2", "The quota of CreateThing is given twice"),
    ],
)
def test_a_quota_that_is_none_is_refused(text: str, named: str) -> None:
    """
    One sentence that names it, before anything is called.
    """
    with pytest.raises(SettingsError, match=named):
        quotas.parse(text)
