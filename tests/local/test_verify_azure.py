"""
`firstlight verify azure` with the vendor's device SDK against the laptop's IoT Hub and DPS, by their production names.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.local.azure_cloud.devices import Devices, serve_devices
from firstlight.local.azure_cloud.proxy import Proxy
from firstlight.local.azure_cloud.world import CaCertificate, Device
from firstlight.pki import PrivateKey
from firstlight.verify.azure import verify_device, verify_many
from firstlight.verify.azure_checks import EVERYTHING, FIRST_LIGHT, AzureChecks
from firstlight.verify.azure_service import Known
from firstlight.verify.azure_target import AzureTarget, Papers
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Check, Outcome, Report
from tests.factory import Factory
from tests.local.azure_devices import SCOPE, Site
from tests.local.processes import soon
from tests.local.test_verify_sessions import open_things

# the SDK's own, of its MQTT client; that none of its sockets stays open is looked at below
pytestmark = [
    pytest.mark.filterwarnings("ignore:Callback API version 1 is deprecated"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

WANTED_ONLY = AzureChecks(must_fail=False)
NO_CHAIN_PASSES_NOT = AzureChecks(chain_needed=True)


class HubSide:
    """
    The hub's own side, in this process: what a service client would be told.
    """

    def __init__(self, site: Site, devices: Devices) -> None:
        self.site, self.devices = site, devices

    async def invoke(self, hub: str, device_id: str, method: str, payload: dict[str, Any]) -> Any:
        return (await self.devices.invoke(hub, device_id, method, payload, 5.0))[1]

    async def send(self, hub: str, device_id: str, payload: bytes) -> None:
        self.devices.send_c2d(hub, device_id, payload)

    async def look_up(self, hub: str, device_id: str) -> Known | None:
        device = self.site.hub.devices.get(device_id)
        if device is None:
            return None
        return Known(device.kind, frozenset({device.primary, device.secondary} - {""}), device.enabled)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.verify_root()
    return site


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """
    However a verification ends, no thread, socket or pipe of the SDK is left.
    """
    before = open_things()
    yield
    assert soon(lambda: open_things() <= before), open_things() - before


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[tuple[Devices, tuple[str, int]]]:
    async with serve_devices(site.world, folder=site.folder / "azure", port=0) as devices:
        proxy = Proxy(ports={8883: devices.port}, plain=9)
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
            yield devices, ("127.0.0.1", server.sockets[0].getsockname()[1])


def papers(made: tuple[Certificate, PrivateKey], *chain: Certificate) -> Papers:
    certificate, key = made
    return Papers(
        "".join(c.pem for c in (certificate, *chain)).encode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def through_dps(site: Site, name: str = "dev-1", *, chain: bool = True) -> AzureTarget:
    shown = papers(site.maker.device(name), *([site.maker.intermediate] if chain else []))
    return AzureTarget(papers=shown, name=name, id_scope=SCOPE)


def by_thumbprint(site: Site, name: str = "15fc8ea1", common_name: str = '""') -> AzureTarget:
    shown = papers(site.maker.device(common_name))
    site.hub.devices[name] = Device(name, kind="selfSigned", primary=shown.chain[0].fingerprint.upper())
    return AzureTarget(papers=shown, name=name, hub=site.hub.host)


def by_ca(site: Site, name: str = "dev-1", *, chain: bool = True) -> AzureTarget:
    shown = papers(site.maker.device(name), *([site.maker.intermediate] if chain else []))
    site.hub.devices[name] = Device(name, kind="certificateAuthority")
    return AzureTarget(papers=shown, name=name, hub=site.hub.host)


def verified(site: Site, target: AzureTarget, *, service: bool = False, **options: Any) -> Report:
    async def run() -> Report:
        async with served(site) as (devices, proxy):
            reached = replace(target, ca_pem=target.ca_pem or devices.ca_file.read_bytes(), proxy=proxy)
            side = HubSide(site, devices) if service else None
            return await verify_device(reached, now=datetime.now(UTC), service=side, **options)

    return asyncio.run(run())


def outcomes(report: Report) -> dict[str, Outcome]:
    return {c.name: c.outcome for c in report.checks}


def failed(report: Report) -> dict[str, str]:
    return {c.name: c.reason for c in report.checks if c.outcome is Outcome.FAILED}


def check(report: Report, name: str) -> Check:
    return next(c for c in report.checks if c.name == name)


def test_a_pushed_device_passes_everything(site: Site) -> None:
    """
    Known by its thumbprint, with a common name that is no id: online, D2C, twin, method, C2D; nothing it must not.
    """
    report = verified(site, by_thumbprint(site), service=True)

    assert {} == failed(report)
    assert {Outcome.PASSED} == set(outcomes(report).values())
    assert [s.name for s in (*EVERYTHING.wanted, *EVERYTHING.forbidden(through_dps=False))] == list(outcomes(report))
    assert (site.hub.host, 8883, "15fc8ea1") == (report.endpoint, report.port, report.client_id)
    assert "firstlight" not in site.hub.devices["15fc8ea1"].twin.reported


def test_a_device_nobody_announced_is_provisioned_and_passes_everything(site: Site) -> None:
    report = verified(site, through_dps(site), service=True, checks=NO_CHAIN_PASSES_NOT)

    assert {} == failed(report)
    assert report.passed
    assert f"dev-1 at {site.hub.host}" == check(report, "registered").detail
    assert "CA certificate not found" in check(report, "leaf-alone").detail


def test_without_the_hubs_side_two_checks_are_said_not_to_be_run(site: Site) -> None:
    """
    A direct method and a message to the device need it; the device is not blamed.
    """
    report = verified(site, by_thumbprint(site))

    assert {"method", "message"} == {c.name for c in report.checks if c.outcome is Outcome.NOT_RUN}
    assert report.passed
    assert "--service" in check(report, "method").look_at[0]


def test_first_light_is_short(site: Site) -> None:
    report = verified(site, through_dps(site), checks=FIRST_LIGHT)

    assert ["registered", "online", "telemetry"] == list(outcomes(report))
    assert report.passed


class TestProvisioningRefused:
    """
    Each reason by its name, as far as a device can know; the rest is not run.
    """

    def expect(self, report: Report, reason: Reason, words: str = "") -> None:
        assert {"registered": reason} == failed(report)
        assert words in check(report, "registered").detail
        assert {Outcome.NOT_RUN} == {o for n, o in outcomes(report).items() if n != "registered"}
        assert check(report, "registered").look_at

    def test_the_leaf_alone(self, site: Site) -> None:
        report = verified(site, through_dps(site, chain=False))
        self.expect(report, Reason.CHAIN, "401002 CA certificate not found; the certificate went alone")

    def test_a_ca_that_is_not_verified(self, site: Site) -> None:
        site.dps.certificates["root"] = CaCertificate("root", site.maker.root.ca, verified=False)
        self.expect(verified(site, through_dps(site)), Reason.CA, "no CA that is verified and enrolled")

    def test_a_ca_nobody_uploaded(self, site: Site) -> None:
        stranger = Factory("Somebody Else's CA", now=datetime.now(UTC))
        target = AzureTarget(papers=papers(stranger.device("dev-1"), stranger.ca), name="dev-1", id_scope=SCOPE)
        self.expect(verified(site, target), Reason.CA)

    def test_another_common_name(self, site: Site) -> None:
        target = replace(through_dps(site), name="dev-2")
        self.expect(verified(site, target), Reason.COMMON_NAME, "'dev-1' is not the registration id 'dev-2'")

    def test_a_disabled_group(self, site: Site) -> None:
        """
        DPS says no more than "Unauthorized"; where to look says the rest.
        """
        site.dps.groups["makers"].enabled = False
        report = verified(site, through_dps(site))
        self.expect(report, Reason.REGISTRATION, "401002 Unauthorized")
        assert any("not disabled" in place for place in check(report, "registered").look_at)

    def test_another_id_scope(self, site: Site) -> None:
        self.expect(verified(site, replace(through_dps(site), id_scope="0ne0")), Reason.ID_SCOPE, "0ne0")


class TestHubRefuses:
    """
    A hub says CONNACK 5 and no more; its own side knows why.
    """

    def expect(self, report: Report, reason: Reason, words: str = "") -> None:
        assert {"online": reason} == failed(report)
        assert words in check(report, "online").detail
        assert check(report, "online").look_at

    def test_without_its_own_side(self, site: Site) -> None:
        target = by_thumbprint(site)
        del site.hub.devices["15fc8ea1"]
        self.expect(verified(site, target), Reason.REFUSED_CREDENTIALS, "only the thumbprint can let it in")

    def test_an_unknown_device(self, site: Site) -> None:
        target = by_thumbprint(site)
        del site.hub.devices["15fc8ea1"]
        self.expect(verified(site, target, service=True), Reason.UNKNOWN_DEVICE)

    def test_another_thumbprint(self, site: Site) -> None:
        target = by_thumbprint(site)
        site.hub.devices["15fc8ea1"].primary = "AB" * 32
        self.expect(verified(site, target, service=True), Reason.THUMBPRINT)

    def test_a_disabled_device(self, site: Site) -> None:
        target = by_thumbprint(site)
        site.hub.devices["15fc8ea1"].enabled = False
        self.expect(verified(site, target, service=True), Reason.DISABLED)

    def test_an_id_in_another_case(self, site: Site) -> None:
        target = replace(by_ca(site), name="DEV-1")
        self.expect(verified(site, target), Reason.CASE, "differ in case")
        self.expect(verified(site, target, service=True), Reason.CASE, "the hub has no DEV-1, but has dev-1")

    def test_by_ca_under_another_name(self, site: Site) -> None:
        target = replace(by_ca(site), name="dev-2")
        site.hub.devices["dev-2"] = Device("dev-2", kind="certificateAuthority")
        self.expect(verified(site, target, service=True), Reason.COMMON_NAME)

    def test_by_ca_without_the_chain(self, site: Site) -> None:
        self.expect(verified(site, by_ca(site, chain=False), service=True), Reason.CHAIN)

    def test_by_a_ca_that_is_not_verified(self, site: Site) -> None:
        target = by_ca(site)
        site.hub.certificates["root"].verified = False
        self.expect(verified(site, target, service=True), Reason.CA)


def test_a_hub_side_that_refuses_is_quoted(site: Site) -> None:
    class Locked(HubSide):
        async def invoke(self, hub: str, device_id: str, method: str, payload: dict[str, Any]) -> Any:
            raise SessionError("the hub answered 403", reason=Reason.SERVICE)

    async def run() -> Report:
        async with served(site) as (devices, proxy):
            target = replace(by_thumbprint(site), ca_pem=devices.ca_file.read_bytes(), proxy=proxy)
            return await verify_device(target, now=datetime.now(UTC), service=Locked(site, devices), checks=WANTED_ONLY)

    assert {"method": Reason.SERVICE} == failed(asyncio.run(run()))


def test_a_hub_that_lets_a_device_in_under_another_name_is_caught(site: Site) -> None:
    """
    Somebody registered the same certificate under a second id.
    """
    target = by_thumbprint(site)
    site.hub.devices["15fc8ea1-other"] = replace(site.hub.devices["15fc8ea1"], id="15fc8ea1-other")
    report = verified(site, target)

    assert {"other-device-id": Reason.ALLOWED} == failed(report)
    assert not report.passed


class TestOnTheWay:
    """
    What keeps any device from reaching the cloud is said at once, before the SDK tries.
    """

    def test_another_ca_file(self, site: Site) -> None:
        report = verified(site, replace(by_thumbprint(site), ca_pem=site.maker.root.ca.pem.encode()))
        assert {"online": Reason.UNTRUSTED} == failed(report)

    def test_a_host_the_proxy_does_not_know(self, site: Site) -> None:
        report = verified(site, replace(by_thumbprint(site), hub="example.com"))
        assert {"online": Reason.UNREACHABLE} == failed(report)
        assert "is not part of the laptop's Azure" in check(report, "online").detail

    def test_a_proxy_that_is_not_there(self, site: Site) -> None:
        target = replace(by_thumbprint(site), ca_pem=site.maker.root.ca.pem.encode(), proxy=("127.0.0.1", 9))
        report = asyncio.run(verify_device(target, now=datetime.now(UTC)))
        assert {"online": Reason.PORT} == failed(report)


def test_a_hundred_devices_are_provisioned_and_online(site: Site) -> None:
    """
    In their order, thirty-two at a time.
    """
    names = [f"dev-{i:03}" for i in range(100)]
    targets = [through_dps(site, name) for name in names]

    async def run() -> list[Report]:
        async with served(site) as (devices, proxy):
            ca_pem = devices.ca_file.read_bytes()
            reached = [replace(t, ca_pem=ca_pem, proxy=proxy) for t in targets]
            return await verify_many(reached, now=datetime.now(UTC), checks=FIRST_LIGHT)

    reports = asyncio.run(run())

    assert names == [r.client_id for r in reports]
    assert [] == [(r.client_id, failed(r)) for r in reports if not r.passed]
