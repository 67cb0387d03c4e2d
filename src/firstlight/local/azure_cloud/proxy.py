"""
The HTTP CONNECT proxy: the one door to the laptop's Azure, and a wall around it.

Whoever uses it reaches the services of public Azure's names on this machine, and nothing else: a host that is not
one of them is refused, so no test and no demonstration ever meets the real cloud by mistake.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress

# Host names as patterns; the ones that do not exist among them are the REST server's to refuse.
_KNOWN = re.compile(
    r"([a-z0-9-]+\.azure-devices\.net|[a-z0-9-]+\.azure-devices-provisioning\.net"
    r"|[a-z0-9]+\.(blob|queue)\.core\.windows\.net|[a-z0-9-]+(\.scm)?\.azurewebsites\.net"
    r"|login\.microsoftonline\.com|management\.azure\.com)",
    re.IGNORECASE,
)
LONGEST_HEAD = 16 * 1024
_HEAD_TIME = 10.0  # seconds
_CHUNK = 64 * 1024


class Proxy:
    """
    `ports` maps the port a client asks for to the one on 127.0.0.1 that answers; `plain` is where requests go that
    are for this machine itself (the managed identity endpoint).
    """

    def __init__(self, *, ports: Mapping[int, int], plain: int) -> None:
        self._ports = ports
        self._plain = plain
        self._open: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """
        End every connection.
        """
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """
        Answer one connection; asyncio.start_server calls it.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in a task
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # by close(); asyncio's streams would report it as a fault
            writer.transport.abort()
        finally:
            self._open.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
            method, target = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""][:2]
            if method == "CONNECT":
                await self._connect(target, reader, writer)
            elif target.startswith("/"):
                await _tunnel(self._plain, reader, writer, first=head)
            else:
                await _refuse(writer, 403, f"{target} is not part of the laptop's Azure.")
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _connect(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        inside = self._ports.get(int(port)) if port.isdecimal() else None
        if not _KNOWN.fullmatch(host) or inside is None:
            await _refuse(writer, 403, f"{target} is not part of the laptop's Azure, and nothing else is reached.")
            return
        await _tunnel(inside, reader, writer, established=True)


async def _refuse(writer: asyncio.StreamWriter, status: int, sentence: str) -> None:
    body = (sentence + "\n").encode()
    # Clients show the reason phrase of a refused CONNECT, and hardly ever the body.
    head = f"HTTP/1.1 {status} {sentence}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode("latin-1", "replace") + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


async def _tunnel(
    port: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    first: bytes = b"",
    established: bool = False,
) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    if established:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    if first:
        inner_writer.write(first)
    try:
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    finally:
        inner_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        # the other direction ends with this one: neither HTTP nor MQTT uses half-closed connections
        writer.close()
