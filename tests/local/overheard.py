"""
What a command asks of AWS, by the names of the API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from firstlight import boto

# An operation that begins so changes nothing.
READING = ("Describe", "Get", "List")


@contextmanager
def overheard(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """
    Within, the calls of every client that is made are in the set.
    """
    called: set[str] = set()
    client = boto.client

    def hear(model: Any, **_: Any) -> None:
        called.add(model.name)

    def listened_to(*arguments: Any, **named: Any) -> Any:
        made = client(*arguments, **named)
        made.meta.events.register("before-call", hear)
        return made

    with monkeypatch.context() as within:
        within.setattr(boto, "client", listened_to)
        yield called
    assert called, "nothing was heard"


def changes(called: set[str]) -> set[str]:
    """
    Return those of *called* that change something.
    """
    return {name for name in called if not name.startswith(READING)}
