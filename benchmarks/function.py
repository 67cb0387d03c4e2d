"""
A Lambda function: as many instances as run at once, each started when it is needed and kept warm.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PAGE = os.sysconf("SC_PAGE_SIZE")
# Of one JSON line: a push or a batch with all its certificates.
_LINE = 2**24


@dataclass
class _Instance:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, event: Mapping[str, Any], seconds: float) -> Any:
        self.writer.write(json.dumps({"event": event, "seconds": seconds}).encode() + b"\n")
        await self.writer.drain()
        async with asyncio.timeout(seconds):
            return json.loads(await self.reader.readline())

    def megabytes(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[21]) * _PAGE / 2**20


class Function:
    """
    The handler of *module*, each invocation of which has *seconds*.  Its log goes to *log*.
    """

    def __init__(self, module: str, *, env: Mapping[str, str], seconds: float, log: Path) -> None:
        self._module, self._env, self._seconds, self._log = module, env, seconds, log
        self._instances: list[_Instance] = []
        self._idle: list[_Instance] = []

    @property
    def instances(self) -> int:
        return len(self._instances)

    def megabytes(self) -> float:
        """
        Resident memory of the largest instance.
        """
        return max((i.megabytes() for i in self._instances), default=0.0)

    async def warm(self, number: int) -> None:
        """
        Start *number* instances: where sixteen share two cores, their starting says nothing about Lambda's.
        """
        self._idle += await asyncio.gather(*(self._started() for _ in range(number)))

    async def invoke(self, event: Mapping[str, Any]) -> Any:
        """
        Return what the handler answers.

        Raises:
            TimeoutError: it did not in its time; that instance is gone then, as with Lambda.
        """
        instance = self._idle.pop() if self._idle else await self._started()
        try:
            answer = await instance.ask(event, self._seconds)
        except BaseException:
            instance.process.kill()
            raise
        self._idle.append(instance)
        return answer

    async def _started(self) -> _Instance:
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.instance",
                self._module,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                env=self._env,
                stdout=log,
                stderr=log,
            )
        instance = _Instance(process, *await asyncio.open_connection(sock=ours, limit=_LINE))
        self._instances.append(instance)
        # An invocation's time begins when its instance is there.
        await instance.reader.readline()
        return instance

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for instance in self._instances:
            instance.writer.close()
            with suppress(ProcessLookupError):
                instance.process.terminate()
        for instance in self._instances:
            await instance.process.wait()
