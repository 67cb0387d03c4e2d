"""
Ask one thing of Azure, and have it as a fact: what was answered, or why it was not.
"""

from collections.abc import Callable
from typing import TypeVar

from firstlight import azure_clients
from firstlight.doctor.facts import Fact
from firstlight.errors import DeploymentError

T = TypeVar("T")


def ask(what: str, call: Callable[[], T]) -> Fact[T]:
    """
    Return what *call* returns as a fact; *what* ("the enrollment groups") opens the sentence when it is refused.
    """
    doing = f"Reading {what}"
    try:
        with azure_clients.refusals(doing):
            return Fact(call())
    except DeploymentError as e:
        # what already has a sentence of its own says its doing first, too
        return Fact(unread=f"could not read {what}: {e.message.partition(' failed: ')[2] or e.message}")
