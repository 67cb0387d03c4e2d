"""
One batch into SQS, until each of its messages is there, or the time is over.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.errors import FirstlightError, RegistryError, UnfinishedError
from firstlight.queues import sqs_operations
from firstlight.registries import aws_errors
from firstlight.registries.aws_calls import AwsCalls, Patience, Turn

_FAILED = "Failed creating and registering thing: it could not be queued"


@dataclass(frozen=True, slots=True)
class Sending:
    """
    Sends to the queue at *url*.
    """

    url: str
    calls: AwsCalls
    patience: Patience

    async def send(self, bodies: Sequence[str], turn: Turn) -> list[FirstlightError | None]:
        """
        Return for each of *bodies* None or why it is not in the queue; raise nothing but cancellation.
        """
        waiting = {str(i): body for i, body in enumerate(bodies)}
        errors: dict[str, FirstlightError] = {}
        try:
            await self._send(waiting, errors, turn)
        except RegistryError as e:
            errors |= dict.fromkeys(waiting, e)
        except Exception as e:  # noqa: BLE001 -- a surprise in one batch must not cost the others their answers
            surprise = aws_errors.surprising(e)
            surprise.__cause__ = e
            errors |= dict.fromkeys(waiting, surprise)
        return [errors.get(str(i)) for i in range(len(bodies))]

    async def _send(self, waiting: dict[str, str], errors: dict[str, FirstlightError], turn: Turn) -> None:
        """
        Take out of *waiting* what is in the queue; say in *errors* what is not, and why.
        """
        clock = asyncio.get_running_loop().time
        for repetition in range(self.patience.failures):
            answer = await self.calls(sqs_operations.send(self.url, waiting), turn)
            if not answer.ok:
                raise aws_errors.refusal(answer)
            document = answer.document()
            for entry in document.get("Successful") or ():
                waiting.pop(entry["Id"], None)
                errors.pop(entry["Id"], None)
            failed = {entry["Id"]: entry for entry in document.get("Failed") or ()}
            errors |= {i: _refusal(failed[i]) for i in waiting if i in failed}
            for i, entry in failed.items():
                if entry.get("SenderFault"):
                    waiting.pop(i, None)
            if not waiting:
                return
            await asyncio.sleep(min(self.patience.pause(repetition), max(0.0, turn.deadline - clock())))
        unsaid = UnfinishedError(f"{_FAILED}, and Amazon SQS did not say why.", hint="Push again.")
        errors |= {i: unsaid for i in waiting if i not in errors}


def _refusal(entry: dict[str, Any]) -> FirstlightError:
    kind = RegistryError if entry.get("SenderFault") else UnfinishedError
    return kind(f"{_FAILED}: Amazon SQS refused it with {entry.get('Code')}.", hint="Push again.")
