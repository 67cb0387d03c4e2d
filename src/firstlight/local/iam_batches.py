"""
The action on which IAM decides about a batch of SQS: that of its entries.

ministack 1.5.33 asks about sqs:SendMessageBatch and its like.  IAM has no such actions: the Service
Authorization Reference for Amazon SQS has sqs:SendMessage, and so do our roles.
"""

from collections.abc import Callable
from typing import Any

# (service, method, path, headers, body, query) to an action as policies name it, or None
Action = Callable[..., str | None]


def know_batches(actions: Any) -> None:
    """
    Make *actions*, the module ministack.core.iam_actions, know the actions of SQS's batches.
    """
    actions.extract_iam_action = with_batches(actions.extract_iam_action)


def with_batches(known: Action) -> Action:
    """
    Return *known*, the batches of SQS being called by the action of their entries.
    """

    def action(service: str, *request: Any) -> str | None:
        found = known(service, *request)
        return found.removesuffix("Batch") if found and service == "sqs" else found

    return action
