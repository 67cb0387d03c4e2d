"""
The demo, step by step.  Every sentence it ends with was seen in this run.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import certificates
from firstlight.demo.cast import Cast, Device, assemble
from firstlight.demo.findings import DeviceRow, Findings
from firstlight.demo.inventory import Inventory
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop
from firstlight.push import Answer, Entry, bearer, push, read
from firstlight.settings import Settings
from firstlight.verify.aws import verify_device, verify_many
from firstlight.verify.checks import EVERYTHING, FIRST_LIGHT
from firstlight.verify.report import Outcome, Report
from firstlight.verify.target import Target

_REGION = "eu-west-1"
# Seconds: a device of the demo comes online in one or two; a stranger is given fewer to be refused in.
_PATIENCE, _STRANGER_PATIENCE = 30.0, 4.0

Tell = Callable[[str], None]


def run(folder: Path, *, reel: Path | None, tell: Tell) -> Findings:
    """
    Do the whole job once in *folder*, which is emptied first, and return what was seen.

    *reel* names more certificates to push: a file, a folder or a manifest.  *tell* hears each step.

    Raises:
        UsageError: *reel* cannot be read.
        DeploymentError: the laptop clouds did not start.
    """
    more = read([reel]) if reel else []
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cast = assemble(datetime.now(UTC), taken={certificates.load(e.certificate).serial for e in more})
    began = time.monotonic()
    with Laptop(folder, regions=cast.write_regions(folder, _REGION), report=tell) as laptop:
        story = _Story(cast, laptop, more, tell)
        story.findings.note(
            "The stacks are deployed",
            f"{' and '.join(laptop.outputs)} in {time.monotonic() - began:.0f} s, with no account",
            held=len(laptop.outputs) == 2,  # noqa: PLR2004 -- the ingest stack and the JITP stack
        )
        asyncio.run(story.play())
    ports = [int(laptop.endpoint_url.rpartition(":")[2]), laptop.mqtt_port]
    story.findings.note(
        "Nothing is left running",
        f"ports {' and '.join(map(str, ports))} answer no more",
        held=not any(map(_answers, ports)),
    )
    return story.findings


class _Story:
    def __init__(self, cast: Cast, laptop: Addresses, more: Sequence[Entry], tell: Tell) -> None:
        self.cast, self.laptop, self.more, self.tell = cast, laptop, more, tell
        self.findings = Findings()
        self.iot = laptop.client("iot")

    async def play(self) -> None:
        await self.push_twice()
        await self.refuse_pushes()
        await self.bring_the_reel_online()
        await self.bring_the_unannounced_online()
        await self.try_what_must_fail()
        await self.refuse_the_stranger()

    async def push_twice(self) -> None:
        entries = [Entry(d.name, d.certificate.pem.encode(), "reel") for d in self.cast.reel] + list(self.more)
        self.tell(f"Pushing {len(entries)} certificates as a Cloud ID service")
        began = time.monotonic()
        first = await self._push(entries)
        self.findings.note(
            "A push makes every certificate a thing",
            f"{_successes(first)} in {time.monotonic() - began:.1f} s through API Gateway and Lambda",
            held=all(a.ok for a in first),
        )
        self._name_those_without_keys(first)
        self.tell("Pushing the same reel again")
        before = self._inventory()
        second = await self._push(entries)
        self.findings.note(
            "The same push again changes nothing",
            f"{_successes(second)}; {before}, before and after",
            held=all(a.ok for a in second) and before == self._inventory(),
        )

    def _name_those_without_keys(self, answers: Sequence[Answer]) -> None:
        rule = Settings().rule
        for entry, answer in zip(self.more, answers[len(self.cast.reel) :], strict=True):
            name = rule.name(certificates.load(entry.certificate))
            known = "registered; its key is not here" if answer.ok else answer.message
            self.findings.devices.append(DeviceRow(name, "pushed", None if answer.ok else False, known))

    async def refuse_pushes(self) -> None:
        self.tell("Pushing what must be refused")
        neighbour = self.cast.reel[0]
        bad, good = await self._push(
            [
                Entry("expired", self.cast.spoiled.pem.encode()),
                Entry(neighbour.name, neighbour.certificate.pem.encode()),
            ]
        )
        self.findings.note(
            "An expired certificate is refused, its neighbour is not", bad.message, held=good.ok and not bad.ok
        )
        (stranger,) = await self._push([Entry("x", neighbour.certificate.pem.encode())], audience="999999999999")
        self.findings.note("A token for another account is refused", stranger.message, held=not stranger.ok)

    async def bring_the_reel_online(self) -> None:
        self.tell(f"Connecting the {len(self.cast.reel)} devices of the reel")
        reports = await verify_many([self._target(d) for d in self.cast.reel], checks=FIRST_LIGHT, timeout=_PATIENCE)
        self._add(reports, "pushed")
        self.findings.note(
            "The pushed devices publish on their first connect",
            f"{_online(reports)} online, none needed a second connect"
            if all(_connects(r) == 1 for r in reports)
            else f"{_online(reports)} online",
            held=all(r.passed and _connects(r) == 1 for r in reports),
        )

    async def bring_the_unannounced_online(self) -> None:
        devices = self.cast.unannounced
        self.tell(f"Connecting {len(devices)} devices that nobody announced")
        known = set(self._inventory().things)
        reports = await verify_many([self._target(d) for d in devices], checks=FIRST_LIGHT, timeout=_PATIENCE)
        self._add(reports, "just in time")
        made = set(self._inventory().things) - known
        self.findings.note(
            "Unannounced devices are provisioned just in time",
            f"{_online(reports)} online after the first connection was closed; {len(made)} new things",
            held=all(r.passed and _connects(r) > 1 for r in reports) and made == {d.name for d in devices},
        )

    async def try_what_must_fail(self) -> None:
        for device, kind in ((self.cast.reel[0], "pushed"), (self.cast.unannounced[0], "just-in-time")):
            self.tell(f"Trying what {device.name} must not be able to do")
            report = await verify_device(self._target(device), checks=EVERYTHING, timeout=_PATIENCE)
            denials = [c for c in report.checks if c.name.startswith("not-")]
            names = ", ".join(sorted({c.name.removeprefix("not-").replace("-", " ") for c in denials}))
            refused = sum(c.outcome is Outcome.PASSED for c in denials)
            self.findings.note(
                f"A {kind} device keeps to its own topics",
                f"{refused} of {len(denials)} attempts refused ({names}), in MQTT 5 and 3.1.1",
                held=report.passed and bool(denials),
            )

    async def refuse_the_stranger(self) -> None:
        self.tell("Connecting a device of another maker")
        before = self._inventory()
        report = await verify_device(self._target(self.cast.stranger), checks=FIRST_LIGHT, timeout=_STRANGER_PATIENCE)
        self.findings.note(
            "A device of an unknown CA is refused",
            report.checks[0].detail,
            held=not report.passed and before == self._inventory(),
        )

    async def _push(self, entries: Sequence[Entry], audience: str = "") -> list[Answer]:
        return await push(
            entries,
            url=self.laptop.ingest_url,
            authorization=bearer(self.cast.service_key, audience or self.laptop.account, now=lambda: datetime.now(UTC)),
        )

    def _inventory(self) -> Inventory:
        return Inventory.take(self.iot, Settings().policy_name)

    def _target(self, device: Device) -> Target:
        ca_file = self.laptop.ca_file
        return Target(
            endpoint=self.laptop.mqtt_host,
            port=self.laptop.mqtt_port,
            cert_pem=device.certificate.pem.encode(),
            key_pem=device.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            client_id=device.name,
            ca_pem=ca_file.read_bytes() if ca_file else None,
        )

    def _add(self, reports: Sequence[Report], arrived: str) -> None:
        for report in reports:
            connects = _connects(report)
            seen = f"online in {report.seconds:.1f} s" + (f", {connects} connects" if connects > 1 else "")
            failed = next((c.detail for c in report.checks if c.outcome is not Outcome.PASSED), "")
            self.findings.devices.append(DeviceRow(report.client_id, arrived, report.passed, failed or seen))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _connects(report: Report) -> int:
    return max(len(check.attempts) for check in report.checks)


def _successes(answers: Sequence[Answer]) -> str:
    return f"{sum(a.ok for a in answers)} of {len(answers)} SUCCESS"


def _online(reports: Sequence[Report]) -> str:
    return f"{sum(r.passed for r in reports)} of {len(reports)}"
