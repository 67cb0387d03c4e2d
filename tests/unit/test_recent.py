from datetime import timedelta

from firstlight.recent import Recent
from tests.factory import NOW

HOUR = timedelta(hours=1)


def _fingerprint(number: int) -> str:
    return f"{number:064x}"


def test_what_was_queued_is_known_for_a_while() -> None:
    """
    A device that is long since done, or dead, is not called queued for ever.
    """
    recent = Recent(longest=HOUR)
    recent.add(_fingerprint(1), NOW)

    assert recent.has(_fingerprint(1), NOW + HOUR)
    assert not recent.has(_fingerprint(1), NOW + 2 * HOUR)
    assert not recent.has(_fingerprint(2), NOW)


def test_what_is_done_is_forgotten() -> None:
    """
    Whether or not it was known.
    """
    recent = Recent()
    recent.add(_fingerprint(1), NOW)
    recent.drop(_fingerprint(1))
    recent.drop(_fingerprint(2))

    assert not recent.has(_fingerprint(1), NOW)


def test_memory_is_bounded_and_the_latest_stay() -> None:
    """
    A million devices are not remembered; one that was queued again counts as late.
    """
    recent = Recent(most=2)
    for number in (1, 2, 1, 3):
        recent.add(_fingerprint(number), NOW)

    assert [True, False, True] == [recent.has(_fingerprint(n), NOW) for n in (1, 2, 3)]
