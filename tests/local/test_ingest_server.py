"""
The server under slow, many, and broken callers, and its orderly end.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from firstlight import pki
from firstlight.errors import UsageError
from firstlight.identity import DeviceIdentity
from firstlight.ingest import Limits, listening, server_tls
from firstlight.provision import Registration
from tests.factory import Factory
from tests.local.ingesting import PATIENCE, Slow, ask, connect, head, hear, ingest, push_body, send, soon

FACTORY = Factory()


async def _closed(reader: asyncio.StreamReader) -> bytes:
    """
    Return what comes until the server closes; never closing fails the test.
    """
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"POST /interop HT", b"POST /interop HTTP/1.1\r\nHost: test\r\nX: "])
def test_a_caller_that_never_ends_its_head_is_cut_off(sent: bytes) -> None:
    """
    Slowloris: each such connection costs a place.
    """

    async def run() -> bytes:
        async with ingest(limits=Limits(idle=0.2)) as server:
            reader, writer = await connect(server.url)
            writer.write(sent)
            rest = await _closed(reader)
            writer.close()
            return rest

    assert b"" == asyncio.run(run())


def test_a_dribble_of_headers_does_not_buy_time() -> None:
    """
    The head as a whole has its time, not each byte.
    """

    async def run() -> bytes:
        async with ingest(limits=Limits(idle=0.2)) as server, asyncio.timeout(PATIENCE):
            reader, writer = await connect(server.url)
            writer.write(b"GET / HTTP/1.1\r\n")
            closed = asyncio.create_task(reader.read())
            while not (await asyncio.wait([closed], timeout=0.02))[0]:
                writer.write(b"X: x\r\n")
            writer.close()
            # or reset, if a header was on its way
            return b"" if closed.exception() else closed.result()

    assert b"" == asyncio.run(run())


def test_a_caller_that_does_not_read_its_answers_is_cut_off() -> None:
    """
    Otherwise a few such connections, of no caller that proved anything, would keep everybody out.
    """

    async def run() -> int:
        async with ingest(limits=Limits(idle=0.2, connections=1)) as server, asyncio.timeout(PATIENCE):
            _, writer = await connect(server.url)
            with suppress(ConnectionError):
                while True:
                    writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 1000)
                    await writer.drain()
            writer.close()
            while (heard := await ask(server.url, "GET", "/")).status != 200:
                assert 503 == heard.status
            return heard.status

    assert 200 == asyncio.run(run())


def test_a_body_that_does_not_come_is_given_up() -> None:
    """
    408 in JSON, and the connection is closed.
    """

    async def run() -> tuple[int, str, bytes]:
        async with ingest(limits=Limits(upload=0.2)) as server:
            reader, writer = await connect(server.url)
            writer.write(head("POST", "/interop", Content_Length=100) + b"{")
            answer = await hear(reader)
            writer.write_eof()
            rest = await _closed(reader)
            writer.close()
            return answer.status, answer.json["error"], rest

    assert (408, "The body did not arrive within 0.2 s.", b"") == asyncio.run(run())


def test_a_caller_that_goes_away_does_not_disturb_the_next() -> None:
    """
    Its request is logged as cut short.
    """

    async def run() -> tuple[int, list[int]]:
        async with ingest() as server:
            _, writer = await connect(server.url)
            writer.write(head("POST", "/interop", Content_Length=100) + b"{")
            await writer.drain()
            writer.transport.abort()
            await soon(lambda: bool(server.log))
            answer = await ask(server.url, "GET", "/")
            return answer.status, [event["status"] for event in server.events]

    assert (200, [400, 200]) == asyncio.run(run())


def test_pushes_beyond_those_at_once_wait_and_are_then_refused() -> None:
    """
    503 with Retry-After, within half of a push's time; other routes are answered meanwhile.
    """

    async def run() -> tuple[int, str, int, int]:
        registry = Slow()
        async with ingest(registry, limits=Limits(pushes=1), deadline=0.4) as server:
            first = asyncio.create_task(ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem)))
            await registry.arrived.wait()
            second = await ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem))
            alive = await ask(server.url, "GET", "/")
            registry.go.set()
            return second.status, second.headers["retry-after"], alive.status, (await first).status

    assert (503, "5", 200, 200) == asyncio.run(run())


def test_a_push_that_waited_has_its_turn() -> None:
    """
    As soon as another ends.
    """

    async def run() -> list[int]:
        registry = Slow()
        async with ingest(registry, limits=Limits(pushes=1)) as server:
            pushes = [
                asyncio.create_task(ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem)))
                for _ in range(5)
            ]
            await registry.arrived.wait()
            registry.go.set()
            return [answer.status for answer in await asyncio.gather(*pushes)]

    assert [200] * 5 == asyncio.run(run())


def test_connections_beyond_the_limit_are_told_so() -> None:
    """
    And one has a place again when another has gone.
    """

    async def run() -> tuple[int, str, int]:
        async with ingest(limits=Limits(connections=2)) as server, asyncio.timeout(PATIENCE):
            held = [await connect(server.url) for _ in range(2)]
            for reader, writer in held:
                writer.write(head("GET", "/"))
                await hear(reader)
            refused = await send(server.url)
            for _, writer in held:
                writer.close()
            while (again := await send(server.url, head("GET", "/"))).status != 200:
                pass
            return refused.status, refused.json["error"], again.status

    assert (503, "There are too many connections; connect again later.", 200) == asyncio.run(run())


def test_one_connection_carries_many_requests() -> None:
    """
    A caller that pushes a reel connects once.
    """

    async def run() -> list[int]:
        async with ingest() as server:
            reader, writer = await connect(server.url)
            statuses = []
            for body in [push_body(FACTORY.leaf().pem), b"nonsense", push_body()]:
                writer.write(head("POST", "/interop", Content_Length=len(body)) + body)
                statuses.append((await hear(reader)).status)
            writer.close()
            return statuses

    assert [200, 400, 200] == asyncio.run(run())


class _Broken:
    async def register(self, devices: Sequence[DeviceIdentity], *, deadline: float) -> list[Registration]:
        raise ZeroDivisionError(f"{devices} {deadline}")


def test_an_unexpected_error_is_one_500_and_one_line() -> None:
    """
    The line names its type and place, not what was sent.
    """

    async def run() -> tuple[int, bytes, list[str]]:
        async with ingest(_Broken()) as server:
            answer = await ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem))
            return answer.status, answer.body, server.log

    status, body, log = asyncio.run(run())

    assert (500, b'{"error":"Internal error"}') == (status, body)
    assert "ZeroDivisionError" in log[0]
    assert "Infineon_" not in log[0]


def test_a_push_is_logged_line_by_line() -> None:
    """
    One for the request, one for each device, one of metrics; written at once.
    """

    async def run() -> tuple[int, list[str]]:
        async with ingest() as server:
            await ask(server.url, "POST", "/interop", push_body(FACTORY.leaf().pem, "nonsense"))
            return len(server.log), [event["event"] for event in server.events]

    assert (1, ["request", "device", "device", "metrics"]) == asyncio.run(run())


def test_at_its_end_the_server_answers_what_is_in_flight() -> None:
    """
    A body still on its way included; nobody new is let in.
    """

    async def run() -> tuple[list[int], list[str], bool]:
        registry, refused = Slow(), False
        body = push_body(FACTORY.leaf().pem)
        async with asyncio.timeout(PATIENCE):
            async with ingest(registry) as server:
                pushing = asyncio.create_task(ask(server.url, "POST", "/interop", body))
                await registry.arrived.wait()
                reader, writer = await connect(server.url)
                writer.write(head("POST", "/interop", Content_Length=len(body), Expect="100-continue"))
                await reader.readuntil(b"\r\n\r\n")

                async def go_on() -> bool:
                    while await _is_listening(server.url):
                        pass
                    writer.write(body)
                    registry.go.set()
                    return True

                ending = asyncio.create_task(go_on())
            refused = await ending
            answers = [await pushing, await hear(reader)]
            writer.close()
        return [a.status for a in answers], [a.headers["connection"].lower() for a in answers], refused

    assert ([200, 200], ["close", "close"], True) == asyncio.run(run())


async def _is_listening(url: str) -> bool:
    try:
        _, writer = await connect(url)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def test_at_its_end_the_server_does_not_wait_for_idle_connections() -> None:
    """
    They are closed.
    """

    async def run() -> bytes:
        async with ingest() as server:
            reader, writer = await connect(server.url)
            writer.write(head("GET", "/"))
            await hear(reader)
        rest = await _closed(reader)
        writer.close()
        return rest

    assert b"" == asyncio.run(run())


def test_a_push_that_outlasts_every_deadline_is_abandoned() -> None:
    """
    A server that is told to end does end, and says what it left.
    """

    async def run() -> list[str]:
        registry = Slow()
        async with ingest(registry, deadline=0.1, limits=Limits(upload=0.1)) as server:
            reader, writer = await connect(server.url)
            body = push_body(FACTORY.leaf().pem)
            writer.write(head("POST", "/interop", Content_Length=len(body)) + body)
            await registry.arrived.wait()
        await _closed(reader)
        writer.close()
        return [event["event"] for event in server.events]

    assert ["abandoned"] == asyncio.run(run())


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, Path]:
    """
    A server's certificate and key on disk, for localhost.
    """
    certificate, key = pki.server_certificate(
        ["localhost", "127.0.0.1"], ca=FACTORY.ca, ca_key=FACTORY.key, now=FACTORY.now
    )
    pki.write_certificate(tmp_path / "server.pem", certificate)
    pki.write_key(tmp_path / "server.key", key)
    return tmp_path / "server.pem", tmp_path / "server.key"


def test_tls_is_1_2_or_1_3(identity: tuple[Path, Path]) -> None:
    """
    An older client is refused at the handshake.
    """

    async def run(version: ssl.TLSVersion) -> str:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        # lowered, so that it is the server that refuses
        client.set_ciphers("DEFAULT:@SECLEVEL=0")
        client.minimum_version = client.maximum_version = version
        async with ingest(tls=server_tls(*identity)) as server:
            port = int(server.url.rpartition(":")[2])
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            except (ssl.SSLError, ConnectionError):
                return "refused"
            agreed = writer.get_extra_info("ssl_object").version()
            writer.close()
            return str(agreed)

    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert ["TLSv1.2", "TLSv1.3"] == [asyncio.run(run(version)) for version in versions]


@pytest.mark.parametrize("wrong", ["no file", "another key", "encrypted key", "no PEM"])
def test_unusable_tls_files_are_refused_in_one_sentence(
    identity: tuple[Path, Path], tmp_path: Path, wrong: str
) -> None:
    """
    Before the server listens, and without asking anyone for a password.
    """
    certificate, key = identity
    odd = tmp_path / "odd.key"
    match wrong:
        case "another key":
            pki.write_key(odd, pki.new_key())
        case "encrypted key":
            pki.write_key(odd, pki.load_key(key), password=b"secret")
        case "no PEM":
            odd.write_text("nonsense")

    with pytest.raises(UsageError, match=str(odd)):
        server_tls(certificate, odd)


def test_an_address_that_cannot_be_listened_on_is_said() -> None:
    """
    In one sentence, with the reason.
    """

    async def run() -> str:
        async with ingest() as server:
            port = int(server.url.rpartition(":")[2])
            with pytest.raises(UsageError) as caught:
                async with listening(server.handler, host="127.0.0.1", port=port):
                    pass
            return caught.value.message

    assert "Address already in use" in asyncio.run(run())
