"""
One MQTT connection of one device: what checks need of it, and the bridge from the SDK's threads.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason
from firstlight.verify.sdk import after_connack, went_along

# Seconds the SDK's own time-out has to speak first: its errors say more than our silence.
_GRACE = 2.0


class Session(Protocol):
    """
    One connection, used once.  Everything but `close` raises SessionError.
    """

    async def open(self) -> None:
        """
        Return when the cloud has accepted the connection; tries once.
        """

    async def subscribe(self, topic: str) -> None:
        """
        Return when the cloud has granted *topic*, a filter, at QoS 1.
        """

    async def publish(self, topic: str, payload: bytes) -> None:
        """
        Return when the cloud has acknowledged *payload*, at QoS 1.
        """

    async def receive(self, topic: str, payload: bytes) -> None:
        """
        Return when *payload* has come on *topic*.
        """

    async def close(self) -> None:
        """
        Disconnect, if connected, and let go of everything.  Never raises.
        """


class SdkSession(ABC):
    """
    What both protocol versions share.

    The SDK calls back on threads of its own.  A callback does nothing but `_post`; everything else
    happens on the event loop.  Futures settle with a value or with the error as a value, so that one
    nobody waits for any more warns nobody.
    """

    def __init__(self, answer: float) -> None:
        self.answer = answer
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[SessionError] = self._loop.create_future()
        self._messages: asyncio.Queue[tuple[str, bytes] | SessionError] = asyncio.Queue()

    @abstractmethod
    async def open(self) -> None: ...

    async def receive(self, topic: str, payload: bytes) -> None:
        try:
            async with asyncio.timeout(self.answer):
                while (message := await self._messages.get()) != (topic, payload):
                    if isinstance(message, SessionError):
                        raise message
        except TimeoutError:
            raise SessionError(
                f"published and acknowledged, and did not come back within {self.answer:g} s", reason=Reason.NO_MESSAGE
            ) from None

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return  # the loop is closed, and with it everyone who might have waited

    def _arrived(self, topic: str, payload: bytes) -> None:
        self._messages.put_nowait((topic, payload))

    def _cut(self, error: SessionError) -> None:
        settle(self._lost, error)
        self._messages.put_nowait(error)

    async def _acknowledged(self, operation: "Future[Any]", *, doing: str, what: str) -> Any:
        """
        Return what the cloud said to the SDK's *operation* on an open connection.
        """
        value = await self._outcome(operation, what)
        if not isinstance(value, BaseException):
            return value
        if went_along(value):
            await asyncio.wait({self._lost}, timeout=self.answer)
        raise self._lost.result() if self._lost.done() else self._error(value, doing)

    def _error(self, error: BaseException, doing: str) -> SessionError:
        return after_connack(error, doing)

    async def _outcome(self, operation: "Future[Any]", what: str) -> Any:
        """
        Return what the SDK's *operation* returned or raised; *what* names it if it does neither.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._forward(operation, answer)
        return await self._settled(answer, what)

    def _forward(self, operation: "Future[Any]", answer: "asyncio.Future[Any]") -> None:
        def done(finished: "Future[Any]") -> None:
            error = finished.exception()
            # without its traceback, whose frames would keep the connection and the SDK's loop alive
            self._post(settle, answer, finished.result() if error is None else error.with_traceback(None))

        operation.add_done_callback(done)

    async def _settled(self, answer: "asyncio.Future[Any]", what: str) -> Any:
        """
        Return the value of *answer*; *what* names it if it does not come.
        """
        await asyncio.wait({answer, self._lost}, timeout=self.answer + _GRACE, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            if self._lost.done():
                raise self._lost.result()
            raise SessionError(f"no {what} within {self.answer:g} s", reason=Reason.NO_ANSWER)
        if isinstance(answer.result(), SessionError):
            raise answer.result()
        return answer.result()


def settle(future: "asyncio.Future[Any]", value: object) -> None:
    """
    Give *future* its value, unless it has one: the SDK may say the same thing twice.
    """
    if not future.done():
        future.set_result(value)
