"""
Many devices at once, as many as a window lets in, before a deadline.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from firstlight.registries.aws_calls import Turn
from firstlight.registries.pacing import Window

# Seconds that a device may be held back for its calls' tokens and still be said to run freely.  So a quarter of a
# second's worth of devices waits where calls are scarce: no token is lost, and few are half made at a deadline.
_HELD_BACK = 0.25

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


async def abreast(
    items: Sequence[_Item],
    work: Callable[[_Item, Turn], Coroutine[Any, Any, _Done]],
    *,
    window: Window,
    deadline: float,
) -> list[_Done]:
    """
    Do *work* on each of *items*; return what came of those that *window* let in, the first ones, in order.

    The rest had no time left before *deadline* (the running loop's clock) and were not begun.  *work* raises
    nothing but cancellation.
    """
    clock = asyncio.get_running_loop().time
    begun, running = clock(), list[asyncio.Task[_Done]]()
    hopeless = False

    def started(item: _Item) -> asyncio.Task[_Done]:
        entered, turn = clock(), Turn(deadline)

        def left(_: asyncio.Task[_Done]) -> None:
            nonlocal hopeless
            hopeless = hopeless or turn.hopeless
            window.leave(entered=entered, now=clock(), throttled=_is_short(turn))

        task = group.create_task(work(item, turn))
        # A callback, because a task that is cancelled before it runs has no `finally` either.
        task.add_done_callback(left)
        return task

    async with asyncio.TaskGroup() as group:
        while len(running) < len(items) and await _entered(window, window.last_entry(now=begun, deadline=deadline)):
            if hopeless:
                window.vacate()
                break
            running.append(started(items[len(running)]))
    return [task.result() for task in running]


def _is_short(turn: Turn) -> bool:
    """
    Return whether more devices at once would have been of no use.
    """
    return turn.throttled > 0 or turn.waited > _HELD_BACK


async def _entered(window: Window, until: float) -> bool:
    if asyncio.get_running_loop().time() > until:
        return False
    if window.entered_at_once():
        return True
    try:
        async with asyncio.timeout_at(until):
            await window.enter()
    except TimeoutError:
        return False
    return True
