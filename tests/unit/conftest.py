"""
Unit tests meet no network: a socket to anywhere fails the test that opens it.
"""

import socket
from typing import Any, NoReturn

import pytest

from tests.factory import Factory


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise AssertionError("a unit test opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture(scope="session")
def factory() -> Factory:
    return Factory()
