"""
One call of AWS after another, each a fact: what was answered, or why it was not.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from firstlight import boto
from firstlight.doctor.facts import Fact
from firstlight.errors import RegistryError

T = TypeVar("T")


def ask(what: str, call: Callable[[], T]) -> Fact[T]:
    """
    Return what *call* returns as a fact; *what* ("the template Jitp") opens the sentence when it is refused.
    """
    doing = f"Reading {what}"
    try:
        with boto.refusals(doing):
            return Fact(call())
    except RegistryError as e:
        return Fact(unread=f"could not read {what}: {e.message.removeprefix(f'{doing} failed: ')}")


def found(client: Any, operation: str, **arguments: Any) -> Any:
    """
    Return the answer of *operation* ("describe_thing"), or None when what it asks for does not exist.
    """
    try:
        return getattr(client, operation)(**arguments)
    except client.exceptions.ResourceNotFoundException:
        return None


def listed(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    """
    Return the *key* of every page of *operation*.
    """
    pages = client.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page.get(key) or ()]
