"""
The worker's side of the queue: take messages, provision what they ask for, say which are done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from firstlight.errors import (
    CertificateError,
    IdentityError,
    InactiveError,
    NameTakenError,
    RequestError,
)
from firstlight.overflow import attempts_of, decode, work_off
from firstlight.provision import Admission, Candidate, Outcome, Registry

# What AWS IoT calls a device that it is just now provisioning by itself, or could not provision.
_PENDING = "PENDING_ACTIVATION"


@dataclass(frozen=True, slots=True)
class Message:
    """
    One message of a queue: the *handle* by which its queue knows this delivery, and what it asks for.

    `candidates` is None in a message that nobody of us wrote; then `body` is what it says.  `attempts` is how often
    its devices failed before, or it was delivered before.  `left` is, of one that was worked on and is not
    done, what comes again.
    """

    handle: str = field(repr=False)
    candidates: tuple[Candidate, ...] | None
    body: str = field(default="", repr=False)
    attempts: int = 0
    left: tuple[Outcome, ...] = ()

    @classmethod
    def of(cls, handle: str, body: str, *, deliveries: int = 1) -> "Message":
        """
        Return the message of *body*, delivered for the n-th time.
        """
        try:
            return cls(handle, tuple(decode(body)), attempts=max(attempts_of(body), deliveries - 1))
        except RequestError:
            return cls(handle, None, body)


class Source(Protocol):
    """
    What a worker of its own needs of a queue.  A message that is neither done nor given back comes again.
    """

    async def receive(self, *, wait: float) -> Sequence[Message]:
        """
        Return the next messages, a batch at most; none if none came within *wait* seconds.

        Raises:
            UnfinishedError: the queue failed or did not answer; asking again may well do.
            RegistryError: it would not.
        """

    async def done(self, messages: Sequence[Message]) -> None:
        """
        Take *messages* out of the queue.

        Raises:
            RegistryError: some may still be there; they come again, which does no harm.
        """

    async def again(self, messages: Sequence[Message]) -> None:
        """
        Give back *messages* that were worked on: what is merely unfinished comes again soon, the rest later.

        Raises:
            RegistryError: some come again only when the queue gives them up for lost.
        """


@dataclass(frozen=True, slots=True)
class Worked:
    """
    What became of a batch: the messages that are done, those that go back, and every outcome.
    """

    done: tuple[Message, ...]
    again: tuple[Message, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def strange(self) -> int:
        """
        How many messages nobody of us wrote.
        """
        return sum(message.candidates is None for message in self.again)


def comes_again(outcome: Outcome) -> bool:
    """
    Return whether another try, now or when an operator has lifted what stands in its way, may help *outcome*.
    """
    error = outcome.error
    if isinstance(error, InactiveError):
        # Nobody switched it off: it connected before its turn, and may be ACTIVE in a second.
        return error.status == _PENDING
    return error is not None and not isinstance(error, CertificateError | IdentityError | NameTakenError)


async def work(
    messages: Sequence[Message],
    registry: Registry,
    *,
    admission: Admission,
    now: Callable[[], datetime],
    deadline: float,
) -> Worked:
    """
    Provision what *messages* ask for, all together, until *deadline* (the running loop's clock, seconds).

    A message goes back when any outcome of it may come again, or when nobody of us wrote it.
    """
    ours = [message for message in messages if message.candidates is not None]
    strangers = [message for message in messages if message.candidates is None]
    outcomes = await work_off(
        [message.candidates or () for message in ours], registry, admission=admission, now=now, deadline=deadline
    )
    pairs = list(zip(ours, outcomes, strict=True))
    left = [(message, tuple(filter(comes_again, its))) for message, its in pairs if any(map(comes_again, its))]
    back = [(replace(message, left=its), its) for message, its in left]
    return Worked(
        done=tuple(message for message, its in pairs if not any(map(comes_again, its))),
        again=(*(message for message, _ in back), *strangers),
        outcomes=tuple(outcome for its in outcomes for outcome in its),
    )
