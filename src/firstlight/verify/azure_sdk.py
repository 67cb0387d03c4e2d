"""
The Azure device SDK: its threads, its files, its errors.  With azure_registering.py and azure_session.py all of it.
"""

import asyncio
import contextlib
import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

from azure.iot.device import X509, ProxyOptions, exceptions
from azure.iot.device.common import transport_exceptions
from azure.iot.device.common.pipeline import pipeline_thread

from firstlight.errors import SessionError, UsageError
from firstlight.verify.azure_target import AzureTarget, Papers
from firstlight.verify.azure_words import Words
from firstlight.verify.reasons import Reason

T = TypeVar("T")

# Seconds the SDK's threads get to end.
_SHUTDOWN = 5.0
_NOISE = ("azure.iot.device", "paho")
_THREAD = "firstlight-verify"
_PAHO_THREAD = "paho-mqtt-client"

# The SDK wraps an error up to three times; the first of these found among its causes says it.
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], str, Reason], ...] = (
    (
        (exceptions.CredentialError, transport_exceptions.UnauthorizedError),
        "{at} refused the device's credentials",
        Reason.REFUSED_CREDENTIALS,
    ),
    ((transport_exceptions.TlsExchangeAuthError,), "the certificate of {at} is not trusted", Reason.UNTRUSTED),
    ((exceptions.OperationTimeout, TimeoutError), "{at} did not answer", Reason.NO_ANSWER),
    ((exceptions.ServiceError,), "{at} refused: {error}", Reason.REFUSED),
)
_DROPPED = (
    exceptions.ConnectionDroppedError,
    transport_exceptions.ConnectionDroppedError,
    exceptions.NoConnectionError,
    exceptions.OperationCancelled,
)


class DeviceSdk:
    """
    The SDK within a block: quiet, what DPS answers overheard, no thread of it left afterwards.
    """

    async def __aenter__(self) -> Self:
        self.words = Words()
        self._silence = logging.NullHandler()
        for name in _NOISE:
            logging.getLogger(name).addHandler(self._silence)
        self.words.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.words.leave()
        for name in _NOISE:
            logging.getLogger(name).removeHandler(self._silence)
        await in_thread(_end_threads, seconds=_SHUTDOWN)


def collect() -> None:
    """
    Close the sockets of devices that are gone: their MQTT client does so when it is collected, and is in cycles.
    """
    with warnings.catch_warnings():
        # which of the two the collector meets first is chance
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _end_threads() -> None:
    # two idle threads that the SDK keeps for the life of the process; it makes them anew when it needs them
    executors = pipeline_thread._executors  # noqa: SLF001 -- it offers no way to end them
    for name in list(executors):
        executors.pop(name).shutdown(wait=True)
    until = time.monotonic() + _SHUTDOWN / 2
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.startswith((_THREAD, _PAHO_THREAD)):
            # on its way out; what it still refers to could not be collected
            thread.join(max(0.0, until - time.monotonic()))
    collect()


async def in_thread(work: Callable[..., T], *arguments: Any, seconds: float, what: str = "answer") -> T:
    """
    Return what *work* returns, on a thread that keeps nobody waiting at the end of the process.

    Raises:
        SessionError: what the SDK raised, or NO_ANSWER after *seconds*.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)  # type: ignore[arg-type] # without an error it is a T
        else:
            ended.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work(*arguments)
        except Exception as e:  # noqa: BLE001 -- whatever it is belongs to whoever waits
            error = e
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name=_THREAD, daemon=True).start()
    try:
        return await asyncio.wait_for(ended, seconds)
    except TimeoutError as e:
        raise SessionError(f"no {what} within {seconds:g} s", reason=Reason.NO_ANSWER) from e


@contextlib.contextmanager
def on_disk(papers: Papers) -> Iterator[X509]:
    """
    Within the block the SDK can read *papers*: it takes files alone.  They are the owner's only, and removed.
    """
    with TemporaryDirectory(prefix="firstlight-") as folder:
        cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        for path, data in ((cert, papers.cert_pem), (key, papers.key_pem)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        yield X509(cert_file=str(cert), key_file=str(key))  # type: ignore[no-untyped-call]


def options(target: AzureTarget) -> dict[str, Any]:
    """
    Return what every client of *target* is made with.
    """
    given: dict[str, Any] = {}
    if target.ca_pem is not None:
        given["server_verification_cert"] = target.ca_pem.decode("ascii")
    if target.proxy is not None:
        given["proxy_options"] = ProxyOptions("HTTP", *target.proxy)  # type: ignore[no-untyped-call]
    return given


def unusable(error: Exception) -> UsageError:
    return UsageError(f"The device SDK cannot use this certificate, key or CA: {error}.")


def translated(error: BaseException, *, at: str, online: bool = False) -> SessionError:
    """
    Return what the SDK's *error* means; *at* names who was spoken to, *online* if it had let the device in.
    """
    if isinstance(error, SessionError):
        return error
    chain = list(_causes(error))
    for kinds, sentence, reason in _MEANINGS:
        for cause in chain:
            if isinstance(cause, kinds):
                return SessionError(sentence.format(at=at, error=cause), reason=reason)
    if any(isinstance(cause, _DROPPED) for cause in chain):
        return _dropped(at, online=online)
    root = chain[-1]
    if isinstance(root, OSError):
        return SessionError(f"{at} cannot be reached: {root.strerror or root}", reason=Reason.UNREACHABLE)
    return SessionError(f"the device SDK failed: {type(root).__name__}: {root}", reason=Reason.SDK)


def _dropped(at: str, *, online: bool) -> SessionError:
    if online:
        return SessionError(f"{at} closed the connection", reason=Reason.CUT)
    return SessionError(f"{at} closed the connection before CONNACK", reason=Reason.CLOSED)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
