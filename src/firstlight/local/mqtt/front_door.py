"""
The MQTT front door of a laptop cloud: listens, and keeps order among its connections.
"""

import asyncio
import contextlib
import logging
import socket
import time

from OpenSSL import SSL

from firstlight.errors import DeploymentError
from firstlight.local.mqtt.cloud import Cloud, Message
from firstlight.local.mqtt.connection import Connection
from firstlight.local.mqtt.conversation import Conversation, Wire
from firstlight.local.mqtt.journal import Journal, to_log
from firstlight.local.mqtt.reasons import Reason
from firstlight.local.mqtt.router import Router
from firstlight.local.mqtt.terms import Peer

_LOG = logging.getLogger("firstlight.mqtt")
_BACKLOG = 1_024
_TICK = 0.25
_GOODBYE = 2.0


class FrontDoor:
    """
    One listener.  `port` 0 takes a free one; after `start` it is the real one.  A *listener* that listens already
    takes the place of both.

    *recheck* is how often (seconds) the cloud is asked who must go; *patience* how long a client may take
    from the connection to its CONNECT.
    """

    def __init__(
        self,
        cloud: Cloud,
        context: SSL.Context,
        *,
        host: str = "127.0.0.1",
        port: int = 8883,
        listener: socket.socket | None = None,
        recheck: float = 5.0,
        patience: float = 15.0,
        journal: Journal = to_log,
    ) -> None:
        self._cloud = cloud
        self._context = context
        self._host = host
        self.port = port
        self._listener = listener
        self._recheck = recheck
        self._patience = patience
        self._journal = journal
        self._router = Router(cloud.dialect, time.monotonic)
        self._connections: set[Connection] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._server: asyncio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """
        How many clients are connected and let in.
        """
        return sum(1 for c in self._connections if c.conversation is not None and c.conversation.is_open)

    async def start(self) -> None:
        """
        Listen.

        Raises:
            DeploymentError: the port is taken, or the address is not this machine's.
        """
        loop = asyncio.get_running_loop()
        try:
            if self._listener is not None:
                self._server = await loop.create_server(self._accept, sock=self._listener, backlog=_BACKLOG)
            else:
                self._server = await loop.create_server(self._accept, self._host, self.port, backlog=_BACKLOG)
        except OSError as e:
            raise DeploymentError(
                f"The MQTT front door cannot listen on {self._host}:{self.port}: {e.strerror}.",
                hint="Another program has the port, or another laptop cloud is up; choose another port.",
            ) from e
        self.port = self._server.sockets[0].getsockname()[1]
        await self._cloud.opened(self.publish)
        self._keeper = loop.create_task(self._keep_order())

    async def stop(self) -> None:
        """
        Say goodbye to every client, let decisions under way end, close.  Nothing is left running.

        Who takes longer than two seconds, a client or the cloud, is cut off.
        """
        if self._server is None or self._keeper is None:
            return
        until = asyncio.get_running_loop().time() + _GOODBYE
        self._server.close()
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        deciding = [c.conversation.deciding for c in self._connections if c.conversation and c.conversation.deciding]
        for connection in list(self._connections):
            if connection.conversation is not None:
                connection.conversation.end(Reason.SERVER_SHUTTING_DOWN, "the front door closes")
            connection.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._cloud.closed()
                await asyncio.gather(*deciding, return_exceptions=True)
                await self._nobody.wait()
        for decision in deciding:
            decision.cancel()
        await asyncio.gather(*deciding, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort("the front door closes")
        await self._nobody.wait()
        await self._server.wait_closed()
        self._server = None

    def publish(self, message: Message, only: str | None = None) -> bool:
        """
        Publish as the cloud itself, to everybody who may receive it or to the session *only*; return whether any asked.
        """
        return self._router.publish(message, only=only)

    def _accept(self) -> Connection:
        connection = Connection(self._context, self._converse, self._gone)
        self._connections.add(connection)
        self._nobody.clear()
        return connection

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._nobody.set()

    def _converse(self, wire: Wire, peer: Peer) -> Conversation:
        return Conversation(wire, peer, cloud=self._cloud, router=self._router, journal=self._journal)

    async def _keep_order(self) -> None:
        loop = asyncio.get_running_loop()
        next_recheck = loop.time() + self._recheck
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            for connection in list(self._connections):
                self._enforce_time(connection, now)
            self._router.expire()
            if now >= next_recheck:
                try:
                    await self._show_out()
                except Exception:  # noqa: BLE001 -- a personality's mistake must not end keep-alives and time-outs
                    _LOG.exception("Could not look who must go.")
                next_recheck = loop.time() + self._recheck

    def _enforce_time(self, connection: Connection, now: float) -> None:
        conversation = connection.conversation
        if connection.is_closing:
            if now - connection.since > _GOODBYE:
                connection.abort("it does not take its goodbye")
        elif conversation is not None and conversation.is_open:
            if now - connection.heard > conversation.silence_allowed:
                conversation.end(Reason.KEEP_ALIVE_TIMEOUT, "it was silent for longer than its keep-alive")
        elif now - connection.since > self._patience and not (conversation and conversation.deciding):
            connection.abort("no CONNECT came")

    async def _show_out(self) -> None:
        present = {
            c.conversation.client: c.conversation
            for c in self._connections
            if c.conversation is not None and c.conversation.is_open and c.conversation.client is not None
        }
        if not present:
            return
        for client in await self._cloud.no_longer_welcome(present.keys()):
            present[client].end(Reason.NOT_AUTHORIZED, "the cloud no longer lets it in")
