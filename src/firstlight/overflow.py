"""
What a push could not finish in time: the message that carries it on, and the work it asks for.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from firstlight.errors import (
    FirstlightError,
    NotAttemptedError,
    QueuedError,
    RegistryError,
    RequestError,
    UnfinishedError,
)
from firstlight.identity import Attributes, DeviceIdentity
from firstlight.provision import Admission, Candidate, Outcome, Registration, Registry, provision

# Of the message's form; a worker refuses what a later sender wrote.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    One device to be provisioned later: the pusher's ref, its leaf certificate as PEM text, its attributes.
    """

    ref: str
    pem: str = field(repr=False)
    fingerprint: str = ""
    attributes: Attributes = ()


class Overflow(Protocol):
    """
    What a push needs of a queue.
    """

    async def put(self, waiting: Sequence[Waiting], *, deadline: float) -> Sequence[FirstlightError | None]:
        """
        Put each device into the queue; answer for each, in order, None or why it is not there.

        What is not certainly there before *deadline* (the running loop's clock, seconds) is answered with an
        error; it may be there all the same, which does no harm.  Nothing but cancellation is raised.
        """


def waiting_of(outcome: Outcome) -> Waiting | None:
    """
    Return what a queue has to carry on of *outcome*; None if it is done, or trying again cannot help it.
    """
    who = outcome.identity
    if who is None or not isinstance(outcome.error, UnfinishedError):
        return None
    return Waiting(outcome.ref, who.pem, who.fingerprint, who.attributes)


@runtime_checkable
class Expecting(Protocol):
    """
    A registry that has something to do for devices long before it is their turn.
    """

    async def expect(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> None:
        """
        Hear that *devices* will be registered; done or not by *deadline* (the running loop's clock), raise nothing.
        """


@runtime_checkable
class Foreseeing(Protocol):
    """
    A registry that knows of some devices, without a call, that it will never take them.
    """

    def refusal(self, device: DeviceIdentity) -> RegistryError | None:
        """
        Return why *device* will be refused whenever it is registered; None if it may be taken.
        """


@dataclass(frozen=True, slots=True)
class Later:
    """
    A registry that leaves every device to the queue, for *registry* to register it then; but for those it foresees
    to refuse.
    """

    registry: Registry

    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        foresees = self.registry.refusal if isinstance(self.registry, Foreseeing) else lambda _: None
        refused = [foresees(device) for device in devices]
        if isinstance(self.registry, Expecting):
            expected = [device for device, why in zip(devices, refused, strict=True) if why is None]
            await self.registry.expect(expected, deadline=deadline)
        later = NotAttemptedError("Failed creating and registering thing: it is for the queue.", hint="Push again.")
        return [Registration(error=why or later) for why in refused]


async def put_off(
    outcomes: Sequence[Outcome], overflow: Overflow, *, deadline: float, keep_errors: bool
) -> tuple[list[Outcome], list[FirstlightError]]:
    """
    Put what can be carried on of *outcomes* into the queue; what is certainly there becomes a QueuedError.

    Return the outcomes, in order, and why some devices are not there: their outcomes keep the errors they
    have, or else say this.  A device is put once, however often it was pushed.
    """
    waiting = {w.fingerprint: w for w in map(waiting_of, outcomes) if w is not None}
    said = await overflow.put(list(waiting.values()), deadline=deadline) if waiting else ()
    refused = dict(zip(waiting, said, strict=True))

    def settled(outcome: Outcome) -> Outcome:
        if waiting_of(outcome) is None or outcome.identity is None:
            return outcome
        why_not = refused[outcome.identity.fingerprint]
        if why_not is None:
            return replace(outcome, error=QueuedError.of())
        return outcome if keep_errors else replace(outcome, error=why_not)

    return [settled(outcome) for outcome in outcomes], [error for error in said if error is not None]


def encode(waiting: Iterable[Waiting], *, attempts: int = 0, reason: str = "") -> str:
    """
    Return the message that `decode` reads: JSON, `{"v": 1, "certs": [{"ref", "cert", "attributes"}]}`, cert as PEM.

    Where a queue does not count by itself how often its devices failed, `attempts` does; `reason` tells an
    operator why they were given up.  Neither is there unless it says something.
    """
    facts = {"attempts": attempts} if attempts else {}
    why = {"reason": reason} if reason else {}
    return json.dumps({"v": _VERSION, "certs": [_entry(w) for w in waiting], **facts, **why}, separators=(",", ":"))


def decode(message: str) -> list[Candidate]:
    """
    Return the candidates of *message*.

    Raises:
        RequestError: nobody here wrote it.
    """
    try:
        body = json.loads(message)
        if body["v"] != _VERSION:
            raise RequestError("The message is of another version of firstlight.")
        return [_candidate(entry) for entry in body["certs"]]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as e:
        raise RequestError("The message is not one of firstlight's queue.") from e


def attempts_of(message: str) -> int:
    """
    Return how often the devices of *message* failed before, as `encode` wrote it; 0 if it does not say.
    """
    try:
        said = json.loads(message).get("attempts", 0)
    except (ValueError, RecursionError, AttributeError):
        return 0
    return said if isinstance(said, int) and said > 0 else 0


async def work_off(
    messages: Sequence[Sequence[Candidate]],
    registry: Registry,
    *,
    admission: Admission,
    now: Callable[[], datetime],
    deadline: float,
) -> list[list[Outcome]]:
    """
    Provision the candidates of all *messages* together; return the outcomes of each message.

    A message is done when `waiting_of` has nothing of its outcomes left and none is a refusal that an
    operator can lift; delivering it twice does no harm.
    """
    together = [candidate for message in messages for candidate in message]
    outcomes = iter(await provision(together, registry, admission=admission, now=now, deadline=deadline))
    return [[next(outcomes) for _ in message] for message in messages]


def _entry(waiting: Waiting) -> dict[str, Any]:
    entry: dict[str, Any] = {"ref": waiting.ref, "cert": waiting.pem}
    return entry | ({"attributes": dict(waiting.attributes)} if waiting.attributes else {})


def _candidate(entry: Any) -> Candidate:
    attributes = tuple((str(k), str(v)) for k, v in entry.get("attributes", {}).items())
    return Candidate(str(entry["ref"]), str(entry["cert"]).encode(), attributes=attributes)
