"""
Time that passes when a test says so, for what waits by the running loop's clock.
"""

import asyncio


class StoppedClock:
    """
    The running loop's clock from now on, in seconds; `now` is the test's to move.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        asyncio.get_running_loop().time = lambda: self.now  # type: ignore[method-assign]


async def settled() -> None:
    """
    Let everything happen that is due.
    """
    for _ in range(20):
        await asyncio.sleep(0)
