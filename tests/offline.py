"""
Fixtures of the suites that meet no network: a socket to anywhere fails the test that opens it.
"""

import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from tests.factory import Factory


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise AssertionError("a unit test opened a connection")

    # once a module: a thousand tests would pay for it one by one
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "bind", refuse)
        yield


@pytest.fixture(scope="session")
def factory() -> Factory:
    return Factory()
