import signal

import pytest

from firstlight.local import stopping


def test_a_signal_to_stop_waits_until_what_began_is_known() -> None:
    """
    A process that is just being started must be one that somebody can stop.
    """
    begun = []

    def begin() -> None:
        with stopping.held_back():
            signal.raise_signal(signal.SIGTERM)
            begun.append("child")

    with stopping.in_order(), pytest.raises(KeyboardInterrupt):
        begin()

    assert ["child"] == begun


def test_without_a_signal_nothing_is_raised() -> None:
    """
    And the handlers are the ones from before.
    """
    before = signal.getsignal(signal.SIGTERM)

    with stopping.in_order(), stopping.held_back():
        pass

    assert before == signal.getsignal(signal.SIGTERM)
