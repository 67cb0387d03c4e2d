"""
How much a hub is asked at once, and when.
"""

import asyncio

from firstlight.registries.azure_known import Known
from firstlight.registries.azure_pace import MAX_BATCH, Pace, Patience


def test_a_429_without_retry_after_is_ten_seconds_and_doubles() -> None:
    """
    "Wait 10 seconds", says the hub; while nothing else comes, longer.
    """
    pace = Pace(Patience())
    waits = []
    now = 0.0
    for _ in range(5):
        pace.throttled(sent=now, now=now + 1, retry_after=None)
        waits.append(pace.resumes_in(now + 1))
        now += 1 + waits[-1]

    assert [10, 20, 40, 80, 80] == waits


def test_calls_in_flight_are_turned_away_for_one_reason() -> None:
    """
    Five answers of one moment are one pause.
    """
    pace = Pace(Patience())
    for n in range(5):
        pace.throttled(sent=0, now=1 + n / 100, retry_after=None)

    assert 10 == round(pace.resumes_in(1.0))
    assert 12 == pace.size(0)


def test_what_the_hub_takes_makes_calls_larger_again() -> None:
    """
    Up to a hundred, which is the most there is.
    """
    pace = Pace(Patience())
    for now in (0, 100, 200, 400):
        pace.throttled(sent=now, now=now, retry_after=None)
    assert 1 == pace.size(0)

    for _ in range(10):
        pace.taken(pace.size(0))
    assert MAX_BATCH == pace.size(0)
    pace.throttled(sent=500, now=500, retry_after=None)
    assert 10 == pace.resumes_in(500)


def test_retry_after_is_taken_at_its_word() -> None:
    """
    Even 0, but for a breath.
    """
    pace = Pace(Patience(base=0.1))

    pace.throttled(sent=0, now=0, retry_after=3)
    assert 3 == pace.resumes_in(0)
    pace.throttled(sent=5, now=5, retry_after=0)
    assert 0.1 == round(pace.resumes_in(5), 6)


def test_a_place_is_waited_for_until_the_deadline() -> None:
    """
    And given back when its call ends.
    """

    async def promise() -> None:
        pace = Pace(Patience())
        now = asyncio.get_running_loop().time()
        for n in range(10):
            pace.throttled(sent=now + n, now=now + n, retry_after=0)
        async with pace.place(now + 60) as first, pace.place(now) as second:
            assert (True, False) == (first, second)
        async with pace.place(now + 60) as third:
            assert third

    asyncio.run(promise())


def test_what_is_known_is_bounded() -> None:
    """
    The oldest is forgotten.
    """
    known = Known()
    for n in range(50_010):
        known.add(str(n))
    known.discard("50009")
    known.discard("gone")

    assert ("9" in known, "10" in known, "50009" in known) == (False, True, False)
