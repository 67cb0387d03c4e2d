"""
The first signal to stop unwinds what was started; further ones do not disturb that.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def in_order() -> Iterator[None]:
    """
    Within, SIGTERM, SIGINT and SIGHUP raise KeyboardInterrupt, once; afterwards they do what they did before.

    A signal that is ignored stays so: that is how nohup works.  To be entered in the main thread.
    """
    before = {n: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}

    def stop(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """
    Within, a signal to stop waits until the block ends: what begins there can be ended by who began it.

    Only the main thread is told of signals; elsewhere nothing has to be held back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {n: signal.getsignal(n) for n in _SIGNALS if callable(signal.getsignal(n))}
    for number in before:
        signal.signal(number, lambda n, _: came.append(n))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for first in came[:1]:
        signal.raise_signal(first)
