"""
An event loop whose clock jumps to the next timer when nothing is ready: a day of waiting takes no time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(AssertionError):  # noqa: N818 -- what a test says of the code under test
    """
    Everybody waits, and nothing will ever happen.
    """


class _Jump(selectors.BaseSelector):
    """
    A selector that never waits: it moves the clock on by what it was asked to wait.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("everybody waits for nobody")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop without sockets and threads; what asks for a thread is done at once.
    """

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as e:  # noqa: BLE001 -- as an executor: whatever it is, it is the caller's
            done.set_exception(e)
        return done


def run(main: Coroutine[Any, Any, T]) -> T:
    """
    Run *main* in virtual time.

    Raises:
        Stuck: it waits for what never comes.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
