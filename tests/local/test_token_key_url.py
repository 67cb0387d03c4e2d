"""
The key's URL, over a real connection: this key decides who may push.
"""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from firstlight import pki
from firstlight.errors import KeyUnavailableError
from firstlight.token_keys import UrlKey

KEY = pki.public_pem(pki.new_key())


class _Site(BaseHTTPRequestHandler):
    """
    A key server that answers, sends its callers on, or does not speak HTTP.
    """

    def do_GET(self) -> None:
        asked.append(self.path)
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/key")
            self.end_headers()
        elif self.path == "/key":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(KEY)
        else:
            self.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")

    def log_message(self, *args: Any) -> None:
        pass


asked: list[str] = []


@pytest.fixture
def site() -> Iterator[str]:
    asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_key_is_fetched(site: str) -> None:
    """
    What the other tests refuse is not refused for another reason.
    """
    assert ("ES256",) == asyncio.run(UrlKey(f"{site}/key").key()).algorithms


def test_a3_a_redirection_away_from_https_is_not_followed(site: str) -> None:
    """
    Not even asked: the next hop could be anybody.
    """
    with pytest.raises(KeyUnavailableError):
        asyncio.run(UrlKey(f"{site}/elsewhere").key())

    assert ["/elsewhere"] == asked


def test_a10_what_is_not_http_is_trouble_with_the_key(site: str) -> None:
    """
    503 for the caller, and a key that is known goes on serving.
    """
    with pytest.raises(KeyUnavailableError):
        asyncio.run(UrlKey(f"{site}/ssh").key())
