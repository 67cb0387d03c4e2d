"""
An SQS queue of devices: a push puts in what it could not finish, a worker takes it out.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from firstlight.backlog import Message
from firstlight.errors import FirstlightError, RegistryError, SettingsError, UnfinishedError
from firstlight.overflow import Waiting, encode
from firstlight.queues import sqs_operations
from firstlight.queues.sqs_sending import Sending
from firstlight.registries import aws_errors
from firstlight.registries.aws_abreast import abreast
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn
from firstlight.registries.aws_credentials import CredentialCache
from firstlight.registries.aws_http import AwsHttp
from firstlight.registries.aws_operations import Call
from firstlight.registries.pacing import Window
from firstlight.registries.sigv4 import Credentials

# Calls in flight.  Ten thousand devices are a thousand calls, which have the last seconds of a push.
_AT_ONCE = 32
# Bytes of all bodies of one call, with room for what is around them.
_MOST_BYTES = 240_000
# What SQS waits for at most, and what an answer may take on top.
_LONGEST_WAIT = 20
_ANSWERING = 5.0
# Seconds for taking messages out, or giving them back.
_TIDYING = 5.0
# Seconds until a message that was given back comes again, doubled each time: a throttled account breathes,
# and ten deliveries outlast an hour in which AWS fails.
_AGAIN, _LATEST = 30, 900
# Doublings that come to the latest.  A message may say that it failed a number of times with ten digits.
_DOUBLINGS = 5
_REGION = re.compile(r"(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.")


class SqsQueue:
    """
    The queue at *url*, one message a device.  It belongs to the event loop of its first call.

    *credentials* is asked about once a minute, in a thread; it may raise FirstlightErrors.  *region* is for
    a *url* that does not say it.  *endpoint_url* is where SQS is, if not where *url* says.
    """

    def __init__(
        self,
        url: str,
        *,
        region: str,
        credentials: Callable[[], Credentials],
        endpoint_url: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        """
        Raises:
            SettingsError: *url* or *endpoint_url* can be no such thing.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") == "":
            raise SettingsError(f"{url!r} is no URL of an SQS queue.")
        self._url = url
        named = _REGION.search(parts.hostname)
        self._http = AwsHttp(
            endpoint_url=endpoint_url or f"{parts.scheme}://{parts.netloc}",
            region=named[1] if named else region,
            service="sqs",
        )
        cache, patience = CredentialCache(credentials), patience or Patience()
        self._window = Window(_AT_ONCE)
        self._calls = AwsCalls(self._http, cache, patience, self._window)
        self._polling = AwsCalls(self._http, cache, replace(patience, attempt=_LONGEST_WAIT + _ANSWERING))
        self._sending = Sending(url, self._calls, patience)

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> list[FirstlightError | None]:
        """
        See `firstlight.overflow.Overflow`.
        """
        batches = list(_batches([encode([one]) for one in waiting]))
        sent = await abreast(batches, self._sending.send, window=self._window, deadline=deadline)
        said = [error for errors in sent for error in errors]
        return said + [aws_errors.not_attempted()] * (len(waiting) - len(said))

    async def receive(self, *, wait: float) -> list[Message]:
        """
        See `firstlight.backlog.Source`.
        """
        seconds = int(min(wait, _LONGEST_WAIT))
        answer = await self._worked(
            sqs_operations.receive(self._url, seconds=seconds), self._polling, seconds + _ANSWERING
        )
        return [
            Message.of(m["ReceiptHandle"], m["Body"], deliveries=deliveries(m.get("Attributes")))
            for m in answer.document().get("Messages") or ()
        ]

    async def done(self, messages: Sequence[Message]) -> None:
        """
        See `firstlight.backlog.Source`.
        """
        receipts = [message.handle for message in messages]
        await self._tidied([sqs_operations.delete(self._url, part) for part in _parts(receipts)])

    async def again(self, messages: Sequence[Message]) -> None:
        """
        See `firstlight.backlog.Source`.  Who needs an operator, and what nobody of us wrote, waits out its time.
        """
        soon = {
            message.handle: min(_LATEST, _AGAIN * 2 ** min(message.attempts, _DOUBLINGS))
            for message in messages
            if message.left and all(isinstance(outcome.error, UnfinishedError) for outcome in message.left)
        }
        parts = [{receipt: soon[receipt] for receipt in part} for part in _parts(list(soon))]
        await self._tidied([sqs_operations.change_visibility(self._url, part) for part in parts])

    async def close(self) -> None:
        """
        Close the connections.
        """
        await self._http.close()

    async def _tidied(self, calls: Sequence[Call]) -> None:
        answers = await asyncio.gather(*(self._worked(c, self._calls, _TIDYING) for c in calls), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            if failed := answer.document().get("Failed"):
                codes = ", ".join(sorted({str(entry.get("Code")) for entry in failed}))
                refused = f"Failed working the queue off: {answer.operation} failed for {len(failed)} with {codes}."
                raise UnfinishedError(refused, hint="They come again, which does no harm.")

    async def _worked(self, call: Call, calls: AwsCalls, seconds: float) -> Answer:
        try:
            answer = await calls(call, Turn(asyncio.get_running_loop().time() + seconds))
            if not answer.ok:
                raise aws_errors.refusal(answer)
        except RegistryError as e:
            raise aws_errors.of_a_worker(e) from e
        return answer


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """
    Yield *bodies* in order, as many at once as a call takes.
    """
    batch: list[str] = []
    size = 0
    for body in bodies:
        if batch and (len(batch) == sqs_operations.BATCH or size + len(body) > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += len(body)
    if batch:
        yield batch


def deliveries(attributes: Mapping[str, str] | None) -> int:
    """
    Return how often a message was delivered, this time included, as its *attributes* say.
    """
    said = (attributes or {}).get(sqs_operations.DELIVERIES, "")
    return int(said) if said.isascii() and said.isdigit() else 1


def _parts(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(receipts), sqs_operations.BATCH):
        yield receipts[start : start + sqs_operations.BATCH]
