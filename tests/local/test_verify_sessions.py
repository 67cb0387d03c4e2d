"""
The vendor's device SDK against a real front door whose cloud does what the test tells it.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firstlight import pki
from firstlight.errors import UsageError
from firstlight.local.mqtt.cloud import Client, Hello, Publisher, Refusal
from firstlight.local.mqtt.reasons import Reason as Code
from firstlight.verify.aws import first_light, verify_device, verify_many
from firstlight.verify.checks import FIRST_LIGHT, FORBIDDEN, Checks
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Check, MqttVersion, Outcome, Report
from firstlight.verify.target import Target
from tests.local.processes import soon
from tests.local.scripted_cloud import Bench, ScriptedCloud

WANTED_ONLY = Checks(must_fail=False)
BOTH = ("5", "3.1.1")


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def verified(
    bench: Bench, cloud: ScriptedCloud, change: Callable[[Target], Target] = lambda t: t, **options: Any
) -> Report:
    async def run() -> Report:
        async with bench.open(cloud) as target:
            return await verify_device(change(target), **options)

    return asyncio.run(run())


def checks(report: Report) -> dict[tuple[str, str], Check]:
    return {(c.version, c.name): c for c in report.checks}


def failed(report: Report) -> dict[tuple[str, str], str]:
    return {(c.version, c.name): c.reason for c in report.checks if c.outcome is Outcome.FAILED}


def test_a_well_kept_cloud_passes_everything(bench: Bench) -> None:
    report = verified(bench, ScriptedCloud())

    assert {} == failed(report)
    assert report.passed


def test_the_first_connection_is_closed_and_the_second_is_online(bench: Bench) -> None:
    """
    As just-in-time provisioning does it; both versions would be tried again.
    """
    for version in MqttVersion:
        cloud = ScriptedCloud(connect=lambda _, n: Refusal("provisioning") if n == 1 else None)
        report = verified(bench, cloud, checks=Checks(versions=(version,), must_fail=False))

        assert [Reason.CLOSED, ""] == [a.reason for a in report.checks[0].attempts]
        assert report.passed
        assert [4 if version is MqttVersion.V311 else 5] * 2 == [h.version for h in cloud.hellos]


def test_it_is_the_vendors_sdk_that_knocks(bench: Bench) -> None:
    cloud = ScriptedCloud()
    verified(bench, cloud, checks=FIRST_LIGHT)

    assert "IoTDeviceSDK/Python" in (cloud.hellos[0].username or "")
    assert "localhost" == cloud.hellos[0].server_name


@pytest.mark.parametrize("alpn", [True, False])
def test_alpn_is_offered_when_wanted(bench: Bench, *, alpn: bool) -> None:
    assert verified(bench, ScriptedCloud(), lambda t: replace(t, alpn=alpn), checks=FIRST_LIGHT).passed


def test_a_cloud_that_allows_everything_is_caught(bench: Bench) -> None:
    report = verified(bench, ScriptedCloud(connect=lambda *_: None, act=lambda *_: Code.SUCCESS))

    assert {(v, c.name): Reason.ALLOWED for v in BOTH for c in FORBIDDEN} == failed(report)
    assert not report.passed


def test_not_authorized_is_told_by_name(bench: Bench) -> None:
    """
    MQTT 5 says 0x87; MQTT 3.1.1 says 0x80, or nothing and hangs up.
    """
    found = checks(verified(bench, ScriptedCloud()))

    assert "the cloud answered PUBACK 0x87 not authorized" in found["5", "other-publish"].detail
    assert "the cloud answered SUBACK 0x87 not authorized" in found["5", "everything"].detail
    assert "the cloud closed the connection" in found["3.1.1", "other-publish"].detail
    assert "the cloud answered SUBACK 0x80 failure" in found["3.1.1", "everything"].detail


def test_a_refusing_connack_is_told_from_a_closed_connection(bench: Bench) -> None:
    cloud = ScriptedCloud(connect=lambda *_: Refusal("no", Code.NOT_AUTHORIZED))
    found = checks(verified(bench, cloud, checks=WANTED_ONLY, timeout=1))

    assert {Reason.CONNACK} == {found[v, "online"].reason for v in BOTH}
    assert "CONNACK 0x87 not authorized" in found["5", "online"].detail
    assert "CONNACK with" in found["3.1.1", "online"].detail


def test_a_device_that_is_never_let_in_hears_the_likely_causes(bench: Bench) -> None:
    report = verified(bench, ScriptedCloud(connect=lambda *_: Refusal("unknown")), timeout=1)

    assert {(v, "online"): Reason.CLOSED for v in BOTH} == failed(report)
    assert len(report.checks[0].attempts) > 1
    assert "PENDING_ACTIVATION" in report.checks[0].look_at[0]


def test_a_policy_without_subscribe(bench: Bench) -> None:
    report = verified(bench, ScriptedCloud(act=lambda *_: Code.NOT_AUTHORIZED), checks=WANTED_ONLY)

    assert {(v, "subscribe"): Reason.NOT_AUTHORIZED for v in BOTH} == failed(report)


def test_a_policy_without_receive(bench: Bench) -> None:
    report = verified(bench, ScriptedCloud(delivers=False), checks=WANTED_ONLY, timeout=1)

    assert {(v, "receive"): Reason.NO_MESSAGE for v in BOTH} == failed(report)


class Mute(ScriptedCloud):
    """
    A cloud that never answers a CONNECT, as long as there is one.
    """

    async def opened(self, publish: Publisher) -> None:
        self.gone = asyncio.Event()

    async def admit(self, hello: Hello) -> Client | Refusal:
        await self.gone.wait()
        return await super().admit(hello)

    async def closed(self) -> None:
        self.gone.set()


def test_a_cloud_that_never_answers(bench: Bench) -> None:
    report = verified(bench, Mute(), checks=WANTED_ONLY, timeout=1)

    assert {(v, "online"): Reason.NO_ANSWER for v in BOTH} == failed(report)


def test_another_ca_file_says_so_at_once(bench: Bench) -> None:
    """
    The SDK would keep it to itself for ten seconds or more.
    """
    report = verified(bench, ScriptedCloud(), lambda t: replace(t, ca_pem=bench.maker.ca.pem.encode()))

    assert {(v, "online"): Reason.UNTRUSTED for v in BOTH} == failed(report)
    assert report.seconds < 10


def test_a_server_this_machine_does_not_trust(bench: Bench) -> None:
    """
    Without a CA file the SDK has the last word on the system's store; the reason comes from the look before.
    """
    report = verified(bench, ScriptedCloud(), lambda t: replace(t, ca_pem=None), checks=FIRST_LIGHT, timeout=1)

    assert {("5", "online"): Reason.UNTRUSTED} == failed(report)
    assert "this machine's trust store" in report.checks[0].detail


@pytest.mark.parametrize(
    ("bench_of_its_own", "reason"),
    [
        (Bench(server_name="devices.example.net"), Reason.SERVER_NAME),
        (Bench(issued=datetime.now(UTC) - timedelta(days=1000)), Reason.SERVER_DATES),
        (Bench(issued=datetime.now(UTC) + timedelta(days=2)), Reason.SERVER_DATES),
    ],
    ids=["another name", "expired", "not valid yet"],
)
def test_a_server_whose_certificate_does_not_hold(bench_of_its_own: Bench, reason: Reason) -> None:
    assert {("5", "online"): reason} == failed(verified(bench_of_its_own, ScriptedCloud(), checks=FIRST_LIGHT))


def test_a_port_nobody_listens_on(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        report = asyncio.run(first_light(bench.target(taken.getsockname()[1])))

    assert {("5", "online"): Reason.PORT} == failed(report)


def test_a_port_that_speaks_no_tls(bench: Bench) -> None:
    async def run() -> Report:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            return await first_light(bench.target(server.sockets[0].getsockname()[1]))

    assert {("5", "online"): Reason.NOT_TLS} == failed(asyncio.run(run()))


def test_a_name_that_does_not_resolve(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    report = asyncio.run(first_light(bench.target(8883)))

    assert {("5", "online"): Reason.NAME} == failed(report)
    assert "localhost does not resolve: Name or service not known" == report.checks[0].detail


def test_what_the_sdk_cannot_use_is_the_callers_mistake(bench: Bench) -> None:
    other = pki.new_key()
    odd = replace(bench.target(8883), key_pem=pki.public_pem(other))

    with pytest.raises(UsageError, match="cannot use this certificate, key or CA"):
        asyncio.run(first_light(odd))


def test_many_devices_come_online_at_once(bench: Bench) -> None:
    """
    A hundred new devices, each closed the first time, on one thread; their reports come in their order.
    """
    cloud = ScriptedCloud(connect=lambda _, n: Refusal("provisioning") if n == 1 else None)
    names = [f"dev-{i}" for i in range(100)]
    arrived: list[str] = []

    async def run() -> list[Report]:
        async with bench.open(cloud) as target:
            targets = [bench.target(target.port, name) for name in names]
            return await verify_many(
                targets, checks=FIRST_LIGHT, concurrency=25, finished=lambda r: arrived.append(r.client_id)
            )

    reports = asyncio.run(run())

    assert names == [r.client_id for r in reports]
    assert all(r.passed for r in reports)
    assert sorted(names) == sorted(arrived)


class TestNothingIsLeft:
    """
    When a verification returns, however it ends, the SDK has no thread, socket or callback left.
    """

    @pytest.mark.parametrize(
        "cloud",
        [
            ScriptedCloud(),
            ScriptedCloud(connect=lambda *_: Refusal("no")),
            ScriptedCloud(connect=lambda *_: Refusal("no", Code.NOT_AUTHORIZED)),
            ScriptedCloud(connect=lambda *_: None, act=lambda *_: Code.SUCCESS),
            ScriptedCloud(delivers=False),
            Mute(),
        ],
        ids=["online", "closed", "refused", "all allowed", "nothing received", "mute"],
    )
    def test_after_any_outcome(self, bench: Bench, cloud: ScriptedCloud) -> None:
        before = open_things()
        verified(bench, cloud, timeout=1)

        assert soon(lambda: open_things() <= before), open_things() - before

    def test_after_a_cancellation(self, bench: Bench) -> None:
        before = open_things()

        async def run() -> None:
            async with bench.open(Mute()) as target:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(verify_device(target), 0.3)

        asyncio.run(run())

        assert soon(lambda: open_things() <= before), open_things() - before

    def test_the_interpreter_leaves_in_silence(self) -> None:
        """
        In development mode, every warning an error: nothing is said on the way out.
        """
        code = (
            "import asyncio, logging\n"
            "from tests.local.test_verify_sessions import *\n"
            "logging.disable()\n"
            "print(verified(Bench(), ScriptedCloud()).passed)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=Path(__file__).parents[2],
        )

        assert (0, "True\n", "") == (ran.returncode, ran.stdout, ran.stderr)


def open_things() -> set[str]:
    """
    The kernel's threads and sockets of this process.
    """
    threads = {f"thread {path.name}" for path in Path("/proc/self/task").iterdir()}
    descriptors = [_aim(path) for path in Path("/proc/self/fd").iterdir()]
    return threads | {aim for aim in descriptors if aim.startswith(("socket:", "anon_inode:", "pipe:"))}


def _aim(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # the descriptor of the listing itself
        return ""
