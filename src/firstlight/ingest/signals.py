"""
The two ways to ask a server or a worker to end.
"""

import asyncio
import signal


def until_signalled() -> asyncio.Event:
    """
    Return the event that the first SIGTERM or SIGINT sets, to finish what is under way; the second cancels this task.
    """
    loop, task, stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def signalled() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    return stop
