"""
The front door's sockets: TLS, time-outs, broken clients, and that nothing is left of it.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firstlight.errors import DeploymentError, UsageError
from firstlight.local.mqtt import Dialect, FrontDoor, Happening
from firstlight.local.mqtt.trust import ca_file, endpoint_ca, endpoint_context
from tests.factory import Factory
from tests.local.front_doors import soon
from tests.mqtt_device import V311, Device, Identity, tls
from tests.mqtt_switchboard import OpenCloud

NAMES = ("localhost", "127.0.0.1")


class Door:
    """
    A front door of a cloud that lets everybody in.
    """

    def __init__(self, folder: Path, cloud: OpenCloud, **settings: Any) -> None:
        self.journal: list[Happening] = []
        context = endpoint_context(folder, NAMES, datetime.now(UTC))
        given = {"port": 0, "journal": self.journal.append, **settings}
        self.front_door = FrontDoor(cloud, context, **given)
        self.ca_file = ca_file(folder)

    @property
    def port(self) -> int:
        return self.front_door.port

    async def online(self, identity: Identity, client_id: str, **connect: Any) -> Device:
        device = await Device.dial(self.port, tls(identity, self.ca_file))
        assert 0 == await device.connect(client_id, **connect)
        return device


@contextlib.asynccontextmanager
async def open_door(folder: Path, cloud: OpenCloud | None = None, **settings: Any) -> AsyncIterator[Door]:
    door = Door(folder, cloud or OpenCloud(), **settings)
    await door.front_door.start()
    try:
        yield door
    finally:
        await door.front_door.stop()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    certificate, key = Factory("Maker CA", now=datetime.now(UTC)).device("device")
    return Identity.written(tmp_path / "devices", certificate, key)


def test_a_client_certificate_is_demanded(identity: Identity, tmp_path: Path) -> None:
    """
    Without one TLS fails, before any MQTT.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            context = tls(None, door.ca_file)
            # in TLS 1.3 the client hears of it only afterwards
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await Device.dial(door.port, context)
            await (await door.online(identity, "c")).hang_up()

    asyncio.run(test())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("alpn", [None, "x-amzn-mqtt-ca", "mqtt"])
def test_tls_versions_and_alpn(identity: Identity, tmp_path: Path, version: ssl.TLSVersion, alpn: str | None) -> None:
    """
    What devices on port 443 offer is chosen, and both versions work.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            context = tls(identity, door.ca_file)
            context.minimum_version = context.maximum_version = version
            if alpn:
                context.set_alpn_protocols(["something/else", alpn])
            device = await Device.dial(door.port, context)
            spoken = device.writer.get_extra_info("ssl_object")
            assert (version.name, alpn) == (spoken.version().replace(".", "_"), spoken.selected_alpn_protocol())
            assert 0 == await device.connect("c")
            await device.hang_up()

    asyncio.run(test())


def test_a_certificate_the_client_has_no_key_for(identity: Identity, tmp_path: Path) -> None:
    """
    Any certificate is taken at TLS, and possession of its key is proven all the same.
    """
    stranger, key = Factory("Stranger", now=datetime.now(UTC)).device("stranger")
    other = Identity.written(tmp_path / "devices", stranger, key)

    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        ssl.create_default_context().load_cert_chain(identity.certificate_file, other.key_file)


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 5000, b"\x00" * 99])
def test_rubbish_instead_of_tls(identity: Identity, tmp_path: Path, rubbish: bytes) -> None:
    """
    Closes that connection; a device that is connected does not notice.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            device = await door.online(identity, "c")
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(rubbish)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 10)
            writer.close()
            assert [] == await device.heard_before_ping()
            await device.hang_up()

    asyncio.run(test())


def test_broken_mqtt_closes_one_connection(identity: Identity, tmp_path: Path) -> None:
    """
    Its own.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            good, bad = await door.online(identity, "good"), await door.online(identity, "bad")
            bad.write(b"\xff\xff\xff\xff\xff\xff")
            assert 0x81 == await bad.gone()
            await bad.hang_up()
            assert [] == await good.heard_before_ping()
            await good.hang_up()

    asyncio.run(test())


def test_who_says_nothing_is_not_waited_for(identity: Identity, tmp_path: Path) -> None:
    """
    Neither before TLS nor after it.
    """

    async def test() -> None:
        async with open_door(tmp_path, patience=0.5) as door:
            silent, writer = await asyncio.open_connection("127.0.0.1", door.port)
            device = await Device.dial(door.port, tls(identity, door.ca_file))
            with contextlib.suppress(ConnectionError):
                assert b"" == await asyncio.wait_for(silent.read(), 10)
            assert None is await device.gone()
            await device.hang_up()
            writer.close()
            assert "no CONNECT came" in [h.why for h in door.journal]

    asyncio.run(test())


def test_keep_alive_is_enforced(identity: Identity, tmp_path: Path) -> None:
    """
    Who is silent for one and a half times as long is gone; who pings stays.
    """

    async def test() -> None:
        async with open_door(tmp_path, OpenCloud(dialect=Dialect(keep_alive=(1, 60)))) as door:
            for _ in range(20):
                if await _pinged_and_stayed(door, identity):
                    return
            raise AssertionError("this machine stood still again and again")

    asyncio.run(test())


async def _pinged_and_stayed(door: Door, identity: Identity) -> bool:
    """
    Return whether it was to be seen that who pings stays: not if a machine that stood still silenced it.
    """
    clock = asyncio.get_running_loop().time
    silent = await door.online(identity, "silent", keep_alive=1)
    lively = await door.online(identity, "lively", keep_alive=1)
    heard = [clock()]

    async def ping() -> None:
        while True:
            await lively.heard_before_ping()
            heard.append(clock())
            await asyncio.sleep(0.2)

    pinging = asyncio.create_task(ping())
    assert 0x8D == await silent.gone()
    stayed = door.front_door.connections
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)
    await silent.hang_up()
    await lively.hang_up()
    if max(later - earlier for earlier, later in pairwise([*heard, clock()])) > 1:
        return False
    assert 1 == stayed
    return True


def test_a_lost_client_leaves_its_will(identity: Identity, tmp_path: Path) -> None:
    """
    Also when only its socket goes.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            watcher = await door.online(identity, "watcher")
            await watcher.subscribe("gone/+")
            device = await door.online(identity, "c", will=("gone/c", b"bye"))
            device.writer.transport.abort()
            assert ("gone/c", b"bye") == await watcher.receive()
            await watcher.hang_up()

    asyncio.run(test())


def test_stopping_says_goodbye_and_leaves_nothing(identity: Identity, tmp_path: Path) -> None:
    """
    No task, no thread, no socket; the port is free again.
    """

    async def test() -> int:
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        door = Door(tmp_path, OpenCloud())
        await door.front_door.start()
        device = await door.online(identity, "c")
        old = await Device.dial(door.port, tls(identity, door.ca_file), version=V311)
        await old.connect("old")
        half, writer = await asyncio.open_connection("127.0.0.1", door.port)
        await door.front_door.stop()
        assert (0x8B, None) == (await device.gone(), await old.gone())
        with contextlib.suppress(ConnectionError):
            assert b"" == await half.read()
        for closing in (device.hang_up(), old.hang_up()):
            await closing
        writer.close()
        assert await soon(lambda: asyncio.all_tasks() == tasks)
        assert threads == set(threading.enumerate())
        return door.port

    port = asyncio.run(test())
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_a_client_that_does_not_read_does_not_keep_the_door_open(identity: Identity, tmp_path: Path) -> None:
    """
    Stopping takes a bounded time whatever clients do.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            deaf, talker = await door.online(identity, "deaf"), await door.online(identity, "talker")
            await deaf.subscribe("t", qos=0)
            deaf.writer.transport.pause_reading()
            for _ in range(60):
                talker.write(talker.publication("t", b"x" * 65_536, qos=0))
                assert [] == await talker.heard_before_ping()
            await talker.hang_up()
        deaf.writer.transport.abort()

    asyncio.run(test())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """
    One sentence, with the port in it.
    """

    async def test() -> None:
        async with open_door(tmp_path) as door:
            second = Door(tmp_path, OpenCloud(), port=door.port)
            with pytest.raises(DeploymentError, match=f"cannot listen on 127.0.0.1:{door.port}"):
                await second.front_door.start()

    asyncio.run(test())


def test_a_socket_that_listens_already(identity: Identity, tmp_path: Path) -> None:
    """
    A supervisor may have opened it.
    """

    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        async with open_door(tmp_path, listener=listener) as door:
            assert listener.getsockname()[1] == door.port
            await (await door.online(identity, "c")).hang_up()

    asyncio.run(test())


def test_the_ca_stays_and_its_key_is_private(tmp_path: Path) -> None:
    """
    Devices that trust it today trust it tomorrow; nobody else reads the key.
    """
    now = datetime.now(UTC)
    first, _ = endpoint_ca(tmp_path, now)
    again, _ = endpoint_ca(tmp_path, now)
    later, _ = endpoint_ca(tmp_path, first.x509.not_valid_after_utc)

    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != later.fingerprint
    assert 0o600 == (tmp_path / "endpoint-ca-key.pem").stat().st_mode & 0o777


def test_a_ca_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """
    Rather than replaced: somebody may have put it there.
    """
    endpoint_ca(tmp_path, datetime.now(UTC))
    (tmp_path / "endpoint-ca.pem").write_text("rubbish")

    with pytest.raises(UsageError, match=r"endpoint-ca\.pem"):
        endpoint_ca(tmp_path, datetime.now(UTC))
