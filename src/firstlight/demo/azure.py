"""
The demo on Azure: the same reel, devices that DPS provisions, and who must not get in.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import certificates
from firstlight.demo.cast import Cast, Device
from firstlight.demo.findings import DeviceRow, Findings
from firstlight.errors import DeploymentError
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.push import Answer, Entry, bearer, push
from firstlight.settings import Settings
from firstlight.verify.azure import verify_device, verify_many
from firstlight.verify.azure_checks import EVERYTHING, FIRST_LIGHT
from firstlight.verify.azure_hub_service import open_client_secret
from firstlight.verify.azure_service import Known
from firstlight.verify.azure_target import AzureTarget, Papers
from firstlight.verify.reasons import Reason
from firstlight.verify.report import Outcome, Report

CLOUD = "Azure"
_PATIENCE = 30.0
_STOPPING = 10.0


class AzureStory:
    """
    What happens on Azure; *folder* has the token's public key.
    """

    def __init__(
        self, cast: Cast, azure: AzureAddresses, more: Sequence[Entry], folder: Path, findings: Findings
    ) -> None:
        self.cast, self.azure, self.more, self.folder, self.findings = cast, azure, more, folder, findings
        settings = Settings(
            audience=azure.subscription, token_key_file=str(folder / "cloudid-public.pem"), hub=azure.hub
        )
        self.rule, self._settings = settings.rule, settings
        self._url = ""

    async def play(self) -> None:
        async with (
            self._ingest() as self._url,
            open_client_secret(
                self.azure.tenant, self.azure.client_id, self.azure.client_secret, env=_set(self.azure.environment)
            ) as self.service,
        ):
            await self.push_twice()
            await self.refuse_pushes()
            await self.bring_online()
            await self.refuse()

    async def push_twice(self) -> None:
        entries = [Entry(d.name, d.certificate.pem.encode(), "reel") for d in self.cast.reel] + list(self.more)
        began = time.monotonic()
        first = await self._push(entries)
        seconds = time.monotonic() - began
        self._note(
            "reel pushed", f"{_successes(first)} in {seconds:.1f} s, by ingest serve", held=all(a.ok for a in first)
        )
        for entry, answer in zip(self.more, first[len(self.cast.reel) :], strict=True):
            name = self.rule.name(certificates.load(entry.certificate))
            known = "registered; its key is not here" if answer.ok else answer.message
            self._add(name, "pushed", None if answer.ok else False, known)
        before = await self._identities()
        second = await self._push(entries)
        same = "no change" if before == await self._identities() else "CHANGED"
        self._note(
            "same reel again",
            f"{_successes(second)}, {same}: {len(before)} identities",
            held=all(a.ok for a in second) and same == "no change" and None not in before,
        )

    async def _identities(self) -> list[Known | None]:
        names = [self.rule.name(d.certificate) for d in self.cast.reel]
        return [await self.service.look_up(self.azure.hub, name) for name in names]

    async def refuse_pushes(self) -> None:
        neighbour = self.cast.reel[0].certificate.pem.encode()
        bad, good = await self._push([Entry("expired", self.cast.spoiled.pem.encode()), Entry("good", neighbour)])
        self._note(
            "expired certificate",
            f"its neighbour {good.status}, itself {bad.status}: {bad.message.rpartition(': ')[2]}",
            held=good.ok and not bad.ok,
        )
        (other,) = await self._push([Entry("x", neighbour)], audience="another subscription")
        self._note(
            "another account's token",
            f"401: {other.message.rpartition(': ')[2]}",
            held=not other.ok and "(401)" in other.message,
        )

    async def bring_online(self) -> None:
        now = datetime.now(UTC)
        pushed = [self._by_thumbprint(d) for d in self.cast.reel]
        reports = await verify_many(pushed, now=now, checks=FIRST_LIGHT, timeout=_PATIENCE)
        self._rows(reports, "pushed")
        self._note("pushed devices", f"{_online(reports)} send", held=all(r.passed for r in reports))
        reports = await verify_many(
            [self._through_dps(d) for d in self.cast.unannounced], now=now, checks=FIRST_LIGHT, timeout=_PATIENCE
        )
        self._rows(reports, "just in time")
        self._note("unannounced devices", f"{_online(reports)} send, by DPS", held=all(r.passed for r in reports))

    async def refuse(self) -> None:
        now = datetime.now(UTC)
        for target, what in (
            (self._by_thumbprint(self.cast.reel[0]), "trespassing, pushed"),
            (self._through_dps(self.cast.unannounced[0]), "trespassing, just-in-time"),
        ):
            report = await verify_device(target, now=now, checks=EVERYTHING, service=self.service, timeout=_PATIENCE)
            forbidden = {c.name for c in EVERYTHING.forbidden(through_dps=bool(target.id_scope))}
            refused = sum(c.name in forbidden and c.outcome is Outcome.PASSED for c in report.checks)
            self._note(what, f"{refused} of {len(forbidden)} refused", held=report.passed and refused == len(forbidden))
        whole = self._through_dps(self.cast.unannounced[0])
        alone = await self._refused(replace(whole, papers=whole.papers.leaf_alone), now)
        self._note("leaf without its chain", f"refused: {alone}", held=alone == Reason.CHAIN)
        stranger = await self._refused(self._through_dps(self.cast.stranger), now)
        self._note("device of an unknown CA", f"refused: {stranger}", held=stranger in {Reason.CA, Reason.CHAIN})

    async def _refused(self, target: AzureTarget, now: datetime) -> str:
        report = await verify_device(target, now=now, checks=FIRST_LIGHT, timeout=_PATIENCE)
        return report.checks[0].reason

    async def _push(self, entries: Sequence[Entry], audience: str = "") -> list[Answer]:
        authorization = bearer(
            self.cast.service_key, audience or self.azure.subscription, now=lambda: datetime.now(UTC)
        )
        return await push(entries, url=self._url, authorization=authorization)

    def _by_thumbprint(self, device: Device) -> AzureTarget:
        return self._target(device, name=self.rule.name(device.certificate), hub=self.azure.hub)

    def _through_dps(self, device: Device) -> AzureTarget:
        return self._target(device, name=device.name, id_scope=self.azure.id_scope)

    def _target(self, device: Device, *, name: str, hub: str = "", id_scope: str = "") -> AzureTarget:
        host, _, port = self.azure.proxy_url.removeprefix("http://").rpartition(":")
        key = device.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = device.certificate.pem + (self.cast.device_ca.certificate.pem if id_scope else "")
        return AzureTarget(
            papers=Papers(chain.encode(), key),
            name=name,
            hub=hub,
            id_scope=id_scope,
            ca_pem=self.azure.ca_file.read_bytes(),
            proxy=(host, int(port)),
        )

    @asynccontextmanager
    async def _ingest(self) -> AsyncIterator[str]:
        # as an operator runs it: firstlight ingest serve --cloud azure
        environment = {**os.environ, **_set(self.azure.environment), **self._settings.to_env()}
        for name, value in self.azure.environment.items():
            if value is None:
                environment.pop(name, None)
        command = [sys.executable, "-m", "firstlight", "ingest", "serve", "--cloud", "azure", "--port", "0"]
        with (self.folder / "azure-ingest.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=subprocess.PIPE, stderr=log
            )
            try:
                if process.stdout is None:
                    raise AssertionError("it was asked for")
                words = (await process.stdout.readline()).decode().split()
                url = next((word for word in words if word.startswith("http://")), "")
                if not url:
                    raise DeploymentError("firstlight ingest serve --cloud azure did not start.", hint=log.name)
                yield url
            finally:
                if process.returncode is None:
                    process.terminate()
                await asyncio.wait_for(process.wait(), _STOPPING)

    def _rows(self, reports: Sequence[Report], arrived: str) -> None:
        for report in reports:
            failed = next((c.detail for c in report.checks if c.outcome is not Outcome.PASSED), "")
            seen = failed or f"online in {report.seconds:.1f} s"
            self._add(report.client_id, arrived, report.passed, seen)

    def _add(self, name: str, arrived: str, online: bool | None, seen: str) -> None:  # noqa: FBT001 -- a row's columns
        self.findings.devices.append(DeviceRow(name, arrived, online, seen, cloud=CLOUD))

    def _note(self, what: str, seen: str, *, held: bool) -> None:
        self.findings.note(what, seen, held=held, cloud=CLOUD)


def _set(environment: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if value is not None}


def _successes(answers: Sequence[Answer]) -> str:
    return f"{sum(a.ok for a in answers)} of {len(answers)} SUCCESS"


def _online(reports: Sequence[Report]) -> str:
    return f"{sum(r.passed for r in reports)} of {len(reports)}"
