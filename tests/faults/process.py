"""
A process of ours: what runs in it, how many calls it has made, and at which it is killed.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Death:
    """
    Killed at the *call*-th call: when the cloud has *done* it, or before it is sent.
    """

    call: int
    done: bool


@dataclass(eq=False)
class Process:
    """
    Its tasks end with it; what it has sent arrives all the same.
    """

    name: str
    death: Death | None = None
    # What it made when it began; see `cloud.Service`.
    service: Any = None
    calls: int = 0
    dead: bool = False
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """
        Run *work* in this process.
        """
        token = _CURRENT.set(self)
        try:
            task = asyncio.get_running_loop().create_task(work)
        finally:
            _CURRENT.reset(token)
        self.tasks.append(task)
        return task

    def enter(self) -> None:
        """
        Let whatever the caller does from now on be this process's.
        """
        _CURRENT.set(self)

    def sends(self) -> bool:
        """
        Count a call that is about to be sent; return whether the process dies when it is done.

        Raises:
            CancelledError: the process is dead, or dies of this.
        """
        self.calls += 1
        due = self.death is not None and self.calls == self.death.call
        if due and self.death is not None and not self.death.done:
            self.kill()
        if self.dead:
            raise asyncio.CancelledError
        return due

    def kill(self) -> None:
        self.dead = True
        for task in self.tasks:
            task.cancel()


_CURRENT: ContextVar[Process] = ContextVar("process")


def current() -> Process:
    """
    Return the process that runs this.
    """
    return _CURRENT.get()
